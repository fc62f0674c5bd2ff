"""How much a TV held an agent, from its diary: S seeds, E episodes; one number a seed [S]."""

import numpy as np


def halves(share_SxE: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of the first and second half of a life."""
    middle = share_SxE.shape[1] // 2
    return share_SxE[:, :middle].mean(1), share_SxE[:, middle:].mean(1)


def visit_ratio(watched_SxE: np.ndarray, smallest: float = 1e-4) -> np.ndarray:
    """Visits of the second half over those of the first, of which at least `smallest` are taken."""
    first, second = halves(watched_SxE)
    return second / np.maximum(first, smallest)


def occupancy(watched_SxE: np.ndarray) -> np.ndarray:
    """Share of the second half's steps."""
    return halves(watched_SxE)[1]


def error_ratio(error_SxE: np.ndarray, without_SxE: np.ndarray) -> np.ndarray:
    """Final error over that of the paired agent of the same seed that has no TV."""
    return error_SxE[:, -1] / without_SxE[:, -1]
