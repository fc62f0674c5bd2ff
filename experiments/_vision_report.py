"""What the vision experiment claims, and its page."""

import jax.numpy as jnp
import numpy as np

from nsca_jax.priors import visual
from nsca_jax.reports import figures_vision, html, results
from nsca_jax.types import SHAPES

Parts = dict[str, dict[str, np.ndarray]]
LOSSES = ("nt_xent", "vicreg", "temporal")
READ_OUTS = ("position", "size", "shape")
TITLES = {
    "with": "with priors",
    "without": "without priors",
    "untrained": "with priors, untrained",
    "innate": "innate responses alone",
    "pixels": "raw pixels",
    "temporal": "temporal consistency alone",
    "shuffled": "with priors, shuffled labels",
}
RANK_NEEDED = 10.0
CHANCE_TOLD = 0.05


def told(part: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What each of READ_OUTS tells, [S, N + 1]: 1 is all, 0 what a constant answer tells.

    R^2 of the place (mean of x, y, z) and of the size, and balanced accuracy of the shape from
    chance to 1. What is worse than a constant answer counts as 0: no rival is to look worse than
    one that says nothing.
    """
    said = np.maximum(part["told"], 0.0)
    chance = 1.0 / len(SHAPES)
    shape = np.maximum((said[..., 4] - chance) / (1.0 - chance), 0.0)
    return {"position": said[..., :3].mean(-1), "size": said[..., 3], "shape": shape}


def claims(config, parts: Parts) -> dict:
    """What `run.result` takes but the seeds."""
    of = {name: told(parts[f"read-{name}"]) for name in TITLES}
    rank = {name: parts[f"read-{name}"]["rank"] for name in TITLES}
    broken = np.any([~np.isfinite(part["told"]).all((1, 2)) for part in _reads(parts)], axis=0)
    fine = ~broken
    return {
        "criteria": _criteria(config, of, rank),
        "n_failed_seeds": int(broken.sum()),
        "baselines": {
            TITLES[name]: {
                "effective rank": float(np.nanmean(rank[name])),
                **{
                    what: dict(zip(_fits(config), np.nanmean(x, 0).tolist(), strict=True))
                    for what, x in scores.items()
                },
            }
            for name, scores in of.items()
        },
        "effect_sizes": {
            f"{what}: with priors against {TITLES[rival]}": results.effect_size(
                _mean(of["with"][what])[fine], _mean(of[rival][what])[fine]
            )
            for what in READ_OUTS
            for rival in ("without", "untrained", "pixels")
        },
    }


def write(config, run, parts: Parts, films: dict[str, np.ndarray], result: dict) -> None:
    """Writes figures/ and report.html."""
    passed = sum(item["passed"] for item in result["criteria"])
    folder = run.workdir / "figures"
    html.write_report(
        run.workdir / "report.html",
        "Vision",
        "Two eyes learn from films of Set A without labels, one born with innate filters and one "
        "not. They are frozen; linear read-outs then tell place, size and shape of Set B's things "
        f"from few labelled frames. {passed} of {len(result['criteria'])} criteria hold over "
        f"{len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _labels(folder, config, parts),
            _filters(folder, config, films),
            _learning(folder, parts),
        ],
        config.to_dict(),
        result["versions"],
    )


def _criteria(config, of: dict, rank: dict[str, np.ndarray]) -> list[dict]:
    out = []
    fits = _fits(config)
    for column, fit in enumerate(fits):
        for what in READ_OUTS:
            ahead = (of["with"][what] - of["without"][what])[:, column]
            name = f"priors_{what}_{'from_set_a' if column == len(fits) - 1 else fit.split()[0]}"
            claim = f"{what.capitalize()} on Set B, {fit}: with priors less without, share told"
            out.append(_ahead(name, claim, ahead))
    for rival in ("pixels", "untrained"):
        for what in READ_OUTS:
            ahead = _mean(of["with"][what]) - _mean(of[rival][what])
            claim = f"{what.capitalize()} on Set B, mean over numbers of labels: with priors less "
            out.append(_ahead(f"{rival}_{what}", claim + TITLES[rival], ahead))
    for rival in ("without", "pixels", "untrained"):
        claim = f"Mean of place, size and shape: with priors less {TITLES[rival]}, share told"
        out.append(_ahead(f"all_{rival}", claim, _all(of["with"]) - _all(of[rival])))
    shuffled, true = _all(of["shuffled"]), float(np.nanmean(_all(of["with"])))
    out.append(
        results.criterion(
            "shuffled_labels_tell_nothing",
            "Read-outs of the eye with priors fitted on shuffled labels: share told",
            _plain(shuffled),
            CHANCE_TOLD,
            "<=",
            control=("true labels", true),
        )
    )
    out.append(
        results.criterion(
            "effective_rank",
            "Effective rank of the codes of Set B's frames, of 256",
            _plain(rank["with"]),
            RANK_NEEDED,
            ">=",
            control=("NT-Xent and VICReg off", float(np.nanmean(rank["temporal"]))),
        )
    )
    return out


def _ahead(name: str, claim: str, difference_S: np.ndarray) -> dict:
    """Holds where the whole interval of the paired differences is above 0."""
    return results.criterion(name, claim, _plain(difference_S), 0.0, ">=", by_interval=True)


def _fits(config) -> list[str]:
    return [*(f"{n} labelled frames" for n in config.labelled), "labels of Set A alone"]


def _mean(told_SxN: np.ndarray) -> np.ndarray:
    """[S] over the numbers of Set B's labels."""
    return told_SxN[:, :-1].mean(1)


def _all(scores: dict[str, np.ndarray]) -> np.ndarray:
    return np.mean([_mean(scores[what]) for what in READ_OUTS], axis=0)


def _reads(parts: Parts) -> list[dict[str, np.ndarray]]:
    return [part for name, part in parts.items() if name.startswith("read-")]


def _plain(values: np.ndarray) -> list[float | None]:
    """A failed seed is None."""
    return [float(v) if np.isfinite(v) else None for v in values]


def _labels(folder, config, parts: Parts) -> html.Section:
    shown = ("with", "without", "untrained", "innate", "pixels")
    of = {TITLES[name]: told(parts[f"read-{name}"]) for name in shown}
    curves = {
        what: {name: scores[what][:, :-1] for name, scores in of.items()} for what in READ_OUTS
    }
    bars = {what: {name: scores[what][:, -1] for name, scores in of.items()} for what in READ_OUTS}
    return html.Section(
        "Few labels",
        "Labels are truth and score only: no eye has learnt from them. Labelled and judged frames "
        "are of different films. Share told: R² for place and size (root 3 of the volume), "
        "accuracy over balanced classes above chance for shape; what is worse than a constant "
        "answer counts as 0.\n\nA thing's colour tells its material, and few of Set B's ten things "
        "share one: a read-out fitted on them may know the thing by its colour. Fitted on Set A, "
        "whose things are others, that does not help; it is the harder test.\n\nThe rivals to "
        "watch are the same eye untrained, and its innate responses alone, ten times as many "
        "numbers as a code: what learning adds is the distance to those.",
        [
            (
                figures_vision.label_curves(folder / "labels.png", config.labelled, curves),
                "Fitted on Set B's labelled frames; whiskers hold 95 % of the mean's uncertainty.",
            ),
            (
                figures_vision.bars(folder / "from_set_a.png", bars, "share told"),
                "Fitted on labelled frames of Set A, judged on Set B.",
            ),
        ],
    )


def _filters(folder, config, films: dict[str, np.ndarray]) -> html.Section:
    frame = films["b.image"][0, 0, ..., :3] / 255.0
    opponent = visual.opponent_colours(jnp.asarray(frame, jnp.float32))
    maps = {
        "as seen": frame,
        "luminance": opponent[..., 0],
        "red against green": opponent[..., 1],
        "blue against yellow": opponent[..., 2],
    }
    amplitude = np.asarray(visual.gabor_amplitude(opponent[..., 0]))
    amplitude = amplitude.reshape(*amplitude.shape[:2], -1, visual.ORIENTATIONS)
    for scale, wavelength in enumerate(visual.WAVELENGTHS_px):
        maps[f"edges, {wavelength:.3g} px"] = amplitude[:, :, scale].mean(-1)
    cues = ("height in the field", "texture", "blur", "relative size")
    maps |= dict(
        zip(cues, np.moveaxis(np.asarray(visual.depth_cues(opponent)), -1, 0), strict=True)
    )
    return html.Section(
        "What the eye is born with",
        "Gabor pairs of eight orientations and four scales, opponent colours and the depth that "
        "one eye tells, from the picture alone. Nothing here learns.",
        [
            (
                figures_vision.maps(
                    folder / "innate.png", {k: np.asarray(v) for k, v in maps.items()}
                ),
                "A spawn with Set B; amplitudes are means over orientations.",
            )
        ],
    )


def _learning(folder, parts: Parts) -> html.Section:
    arms = ("with", "without", "temporal")
    losses = {
        name: {TITLES[arm]: parts[f"eye-{arm}"]["losses"][k] for arm in arms}
        for k, name in enumerate(LOSSES)
    }
    shown = ("with", "without", "untrained", "temporal")
    rank = {"effective rank": {TITLES[a]: parts[f"read-{a}"]["rank"] for a in shown}}
    return html.Section(
        "Learning",
        "Temporal consistency alone is content with a constant: codes collapse, which their "
        "effective rank (exp of the entropy of the singular values' shares) shows.",
        [
            (
                figures_vision.losses(folder / "losses.png", losses),
                "The three losses, unweighted; thin lines are seeds.",
            ),
            (
                figures_vision.bars(folder / "rank.png", rank, "effective rank, of 256"),
                "Codes of Set B's frames.",
            ),
        ],
    )
