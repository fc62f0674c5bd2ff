"""How well things are named; on the host, in numpy.

Shapes: N things, A skills; names are numbers, negative where the speaker has nothing to say.
"""

import numpy as np


def accuracy(answer_NxA: np.ndarray, name_NxA: np.ndarray) -> float:
    """Share of what the speaker would name that the agent names so too.

    Raises:
        ValueError: the speaker names nothing.
    """
    asked = _asked(name_NxA)
    return float((answer_NxA == name_NxA)[asked].mean())


def balanced(answer_NxA: np.ndarray, name_NxA: np.ndarray) -> float:
    """Mean over the names that occur of the share of each that is answered rightly."""
    _asked(name_NxA)
    right = answer_NxA == name_NxA
    return float(np.mean([right[name_NxA == n].mean() for n in np.unique(name_NxA[name_NxA >= 0])]))


def chance(said_NxA: np.ndarray, name_NxA: np.ndarray, names: int) -> float:
    """Accuracy of whoever knows the skill and nothing of the thing.

    It answers each skill with the name that was most often right for it while babbling.

    Args:
        said_NxA: the right names of things that were babbled with. name_NxA: those asked for.
    """
    asked = _asked(name_NxA)
    usual = [np.bincount(column[column >= 0], minlength=names).argmax() for column in said_NxA.T]
    return float((np.asarray(usual) == name_NxA)[asked].mean())


def confusion(answer: np.ndarray, name: np.ndarray, names: int) -> np.ndarray:
    """[names, names] how often each name (row) was answered by each (column)."""
    asked = name >= 0
    out = np.zeros((names, names), int)
    np.add.at(out, (name[asked], answer[asked]), 1)
    return out


def _asked(name_NxA: np.ndarray) -> np.ndarray:
    asked = name_NxA >= 0
    if not asked.any():
        raise ValueError("the speaker names nothing here")
    return asked
