"""Linear read-outs against scikit-learn, a fit without the fold, and chance."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from nsca_jax.evaluation import probes


def _data(n=120, d=20, noise=0.1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * rng.uniform(0.1, 10, d) + rng.normal(size=d)
    y = x @ rng.normal(size=(d, 2)) / 10 + noise * rng.normal(size=(n, 2)) + 3.0
    return x, y, np.arange(n) // 4


@pytest.mark.parametrize("shape", [(120, 20), (30, 200)])
def test_is_scikit_learns_ridge_on_standardised_features(shape):
    x, y, group = _data(*shape)
    probe = probes.fit(x, y, group)
    standard = (x - x.mean(0)) / np.sqrt(x.var(0) + probes.SPREAD_FLOOR**2 * x.var(0).mean())
    for p in range(2):
        rival = Ridge(alpha=float(probe.penalty[p])).fit(standard, y[:, p])
        np.testing.assert_allclose(probes.predict(probe, x)[:, p], rival.predict(standard), 1e-4)


@pytest.mark.parametrize("shape", [(40, 8), (40, 90)])
def test_folds_are_left_out_as_if_fitted_without_them(shape):
    x, y, group = _data(*shape)
    rows, target = (x - x.mean(0)) / x.std(0), y - y.mean(0)
    fold = probes.fold_of(group)
    basis, power = probes._principal(rows)
    quick = probes._left_out(basis, power, target, fold, np.array([3.0]))[0]
    slow = np.zeros(2)
    for f in np.unique(fold):
        rival = Ridge(alpha=3.0, fit_intercept=False).fit(rows[fold != f], target[fold != f])
        slow += np.sum((rival.predict(rows[fold == f]) - target[fold == f]) ** 2, 0)
    np.testing.assert_allclose(quick, slow / len(y), rtol=1e-6)


def test_a_group_stays_whole():
    group = np.array([7, 7, 3, 9, 3, 9, 1, 2, 5, 5])
    fold = probes.fold_of(group)
    assert all(len(np.unique(fold[group == g])) == 1 for g in np.unique(group))
    with pytest.raises(ValueError, match="two groups"):
        probes.fold_of(np.zeros(5))


def test_the_penalty_grows_with_the_noise():
    quiet, loud = (probes.fit(*_data(40, 60, noise=noise)).penalty.mean() for noise in (0.01, 10.0))
    assert loud > 10 * quiet


def test_r2_by_hand():
    truth = np.array([[0.0, 1.0], [2.0, 3.0]])
    np.testing.assert_allclose(probes.r2(truth, truth), 1.0)
    np.testing.assert_allclose(probes.r2(truth, np.array([[1.0, 4.0], [1.0, 3.0]])), [0.0, -3.5])
    with pytest.raises(ValueError, match="never varies"):
        probes.r2(np.ones((3, 1)), np.ones((3, 1)))


def test_balanced_accuracy_is_chance_for_a_constant():
    label = np.array([0, 0, 0, 0, 1, 2])
    assert probes.balanced_accuracy(label, np.zeros(6)) == pytest.approx(1 / 3)
    assert probes.balanced_accuracy(label, np.array([0, 0, 0, 1, 1, 2])) == pytest.approx(2.75 / 3)


def test_rare_classes_weigh_the_same():
    rng = np.random.default_rng(0)
    label = (np.arange(400) % 20 == 0).astype(int)  # one in twenty
    x = label[:, None] + 0.4 * rng.normal(size=(400, 1))
    probe = probes.fit_classes(x, label, 2, np.arange(400))
    said = probes.classify(probe, x)
    assert np.mean(said[label == 1] == 1) > 0.8
    assert probes.balanced_accuracy(label, said) > 0.8


def test_shuffled_labels_tell_nothing_and_true_ones_do():
    rng = np.random.default_rng(1)
    label = rng.integers(3, size=400)
    y = rng.normal(size=(400, 1))
    x = np.concatenate([np.eye(3)[label], y], 1) @ rng.normal(size=(4, 30))
    x += 0.1 * rng.normal(size=x.shape)
    group = np.arange(400) // 2

    def scores(order):
        rows = probes.Rows(x, y[order], label[order], group)
        train, test = (
            probes.Rows(*(part[s] for part in rows)) for s in np.split(np.arange(400), 2)
        )
        return probes.read_outs([train], [test], 3)[0]

    true, shuffled = scores(np.arange(400)), scores(rng.permutation(400))
    assert (true > 0.9).all()
    assert shuffled[0] < 0.1
    assert abs(shuffled[1] - 1 / 3) < 0.12


def test_a_feature_that_hardly_varied_is_not_amplified():
    x, y, group = _data(60, 10)
    x[:, 0] = np.where(np.arange(60) == 3, 1e-3, 0.0)  # lit once, faintly
    probe = probes.fit(x, y, group)
    bright = x.copy()
    bright[:, 0] = 1.0
    moved = probes.predict(probe, bright) - probes.predict(probe, x)
    assert np.abs(moved).max() < 3 * y.std()


def test_constant_features_and_bad_input():
    x, y, group = _data()
    x[:, 0] = 5.0
    probe = probes.fit(x, y, group)
    np.testing.assert_allclose(probe.weight[0], 0.0, atol=1e-9)
    assert np.isfinite(probes.predict(probe, x)).all()
    with pytest.raises(ValueError, match="finite"):
        probes.fit(np.full_like(x, np.nan), y, group)
    with pytest.raises(ValueError, match="equal lengths"):
        probes.fit(x[:5], y, group)


def test_effective_rank():
    assert probes.effective_rank(np.eye(8)) == pytest.approx(8.0)
    assert probes.effective_rank(np.ones((50, 8))) == pytest.approx(1.0, abs=1e-3)
    two = np.diag([2.0, 1.0])
    assert probes.effective_rank(two) == pytest.approx(3 / 4 ** (1 / 3))  # shares 2/3 and 1/3
    assert np.isnan(probes.effective_rank(np.full((3, 2), np.nan)))
