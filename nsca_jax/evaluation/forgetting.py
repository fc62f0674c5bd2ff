"""What is left of old tasks, from an accuracy matrix R [S, T, T] in percent.

R[s, i, j] is seed s's accuracy on task j after learning task i (Lopez-Paz & Ranzato 2017). Every
measure is [S]; a seed that failed is NaN in R and stays NaN.
"""

import numpy as np


def first(matrix_SxTxT: np.ndarray) -> np.ndarray:
    """Accuracy on the first task when all are learnt, percent."""
    return matrix_SxTxT[:, -1, 0]


def last(matrix_SxTxT: np.ndarray) -> np.ndarray:
    """Accuracy on the last task when all are learnt, percent."""
    return matrix_SxTxT[:, -1, -1]


def average(matrix_SxTxT: np.ndarray) -> np.ndarray:
    """Mean accuracy over all tasks when all are learnt, percent."""
    return matrix_SxTxT[:, -1].mean(-1)


def forgetting(matrix_SxTxT: np.ndarray) -> np.ndarray:
    """Points lost since a task's best moment, mean over all tasks but the last.

    mean_j (max_{i < T} R[i, j] - R[T, j]), negative where later tasks helped (Chaudhry et al. 2018)

    Raises:
        ValueError: fewer than two tasks.
    """
    if matrix_SxTxT.shape[1] < 2:
        raise ValueError("one task alone cannot be forgotten")
    best_SxT = matrix_SxTxT[:, :-1].max(1)
    return (best_SxT - matrix_SxTxT[:, -1])[:, :-1].mean(-1)


def prefix(matrix_SxTxT: np.ndarray, tasks: int) -> np.ndarray:
    """The matrix [S, tasks, tasks] that the same run had after its first tasks."""
    return matrix_SxTxT[:, :tasks, :tasks]


MEASURES = {"first": first, "last": last, "average": average, "forgetting": forgetting}
