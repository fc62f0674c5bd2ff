"""Scenes in the manner of Physion (Bear et al. 2021), simulated in MuJoCo's C engine.

They are not Physion: other objects, another engine and another eye. `scenarios.VERSION` and
`scenarios.fingerprint` name the generator that made a file.
"""
