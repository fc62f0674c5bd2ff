"""What the support experiment claims, and its page."""

import numpy as np

from nsca_jax.evaluation import monitors
from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.reports import figures_priors, html, results

Parts = dict[str, dict[str, np.ndarray]]
LABELS = {"both": "adaptive prior", "base": "network alone", "rule": "rule alone"}
TITLES = {"bare": "Blocks", "glued": "Half of them glued"}


def claims(config, parts: Parts) -> dict:
    """`criteria`, `n_failed_seeds`, `baselines` and `effect_sizes` of the result."""
    hits = _hits(parts)
    return {
        "criteria": [item for name, arms in hits.items() for item in _criteria(config, name, arms)],
        "n_failed_seeds": int(_failed(parts).sum()),
        "baselines": _baselines(config, parts, hits),
        "effect_sizes": {
            f"{name}, N = {n}: adaptive prior against {LABELS[rival]}": results.effect_size(
                *(arms[arm][~_failed(parts), k] for arm in ("both", rival))
            )
            for name, arms in hits.items()
            for k, n in enumerate(config.sizes)
            for rival in ("base", "rule")
        },
        "monitors": [_watch(config, parts["glued-both"])],
    }


def write(config, run, parts: Parts, result: dict) -> None:
    """Writes figures/ and report.html."""
    hits = _hits(parts)
    panels = {
        TITLES[name]: {LABELS[arm]: values for arm, values in arms.items()}
        for name, arms in hits.items()
    }
    picture = figures_priors.sample_curves(
        run.workdir / "figures" / "support.png", config.sizes, panels, "percent right"
    )
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Support",
        "Will the block stay on the table? One picture, an innate rule, a small network, and both. "
        f"{passed} of {len(result['criteria'])} criteria hold over {len(result['seeds'])} seeds.",
        result["criteria"],
        [
            html.Section(
                "From one picture",
                "The rule reads the picture by opponent colours and says that a block stays where "
                "its middle is over the table. In the second world half of the blocks, the dark "
                "ones, are glued: the rule does not know of glue.\n\nWhere the rule is right "
                "nearly always, the network must not spoil it; where it is wrong about a quarter "
                "of all blocks, the exception must be learnt. The network sees the picture at half "
                "the resolution of the rule's.",
                [(picture, "Held-out pictures judged rightly; whiskers hold 95 % of the seeds.")],
            ),
        ],
        config.to_dict(),
        result["versions"],
        result["monitors"],
    )


def _watch(config, both: dict[str, np.ndarray]) -> monitors.Reading:
    """Is the rule still trusted among glued blocks, once most pictures were seen?"""
    most = int(np.argmax(config.sizes))
    return monitors.prior_holds_on(
        both["weight"][:, most, 0],
        float(np.nanmean(both["prior_error"])),
        float(np.log(2.0)),
        WEIGHT_FLOOR,
        "a smaller price in config.chosen.both",
    )


def _criteria(config, name: str, arms: dict[str, np.ndarray]) -> list[dict]:
    """Points that the adaptive prior loses to the better (by the seeds' mean) of its inputs.

    Among plain blocks the network alone is the control; among glued ones both inputs are poor, and
    may be equally so.
    """
    out = []
    for k, n in enumerate(config.sizes):
        better = max(("rule", "base"), key=lambda rival, k=k: np.nanmean(arms[rival][:, k]))
        lost, alone = (arms[better][:, k] - arms[arm][:, k] for arm in ("both", "base"))
        values = [float(v) if np.isfinite(v) else None for v in lost]
        control = (LABELS["base"], float(np.nanmean(alone))) if name == "bare" else None
        out.append(
            results.criterion(
                f"{name}_loses_nothing_at_{n}",
                f"{TITLES[name]}, {n} pictures: points behind the better of rule and network",
                values,
                1.0,
                "<=",
                control=control,
            )
        )
    return out


def _hits(parts: Parts) -> dict[str, dict[str, np.ndarray]]:
    """Percent right [S, sizes] of each arm in each world."""
    return {
        name: {
            "both": parts[f"{name}-both"]["hits"][..., 0],
            "base": parts[f"{name}-base"]["hits"][..., 0],
            "rule": parts[f"{name}-both"]["prior_hits"][..., 0],
        }
        for name in TITLES
    }


def _baselines(config, parts: Parts, hits: dict) -> dict:
    return {
        TITLES[name]: {
            f"N = {n}": {
                **{LABELS[arm]: float(np.nanmean(values[:, k])) for arm, values in arms.items()},
                "trust": float(np.nanmean(parts[f"{name}-both"]["weight"][:, k, 0])),
            }
            for k, n in enumerate(config.sizes)
        }
        for name, arms in hits.items()
    }


def _failed(parts: Parts) -> np.ndarray:
    """[S] seeds of which anything is not finite."""
    arrays = [a for part in parts.values() for a in part.values() if a.dtype.kind == "f"]
    return np.any([~np.isfinite(a.reshape(len(a), -1)).all(1) for a in arrays], axis=0)
