"""Small analytic worlds, each for one validation: simulated truth, pure functions of a key."""
