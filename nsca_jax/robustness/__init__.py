"""Observations meant to mislead: how they are made, and how they are told."""
