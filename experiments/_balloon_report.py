"""What the balloon experiment claims, and its page."""

import numpy as np

from nsca_jax.priors.physics import WEIGHT_FLOOR
from nsca_jax.reports import figures_priors, html, results

Parts = dict[str, dict[str, np.ndarray]]
ENOUGH = 10  # seeds for which an interval says more than the mean
ARM_LABELS = {
    "adaptive": "adaptive prior",
    "none": "no prior",
    "wrong": "upside-down prior",
    "prior": "prior alone",
}


def claims(config, names: list[str], parts: Parts) -> dict:
    """`criteria`, `n_failed_seeds`, `baselines` and `effect_sizes` of the result."""
    throws = _throws(parts)
    return {
        "criteria": [
            *_override(config, names, parts["trust"]),
            *_kept(config, names, parts["trust"]),
            _criterion(
                "situation_is_told_apart",
                "Mixed world: the trust w(x) tells balloons from stones (AUROC)",
                parts["mixed"]["auroc"][:, 0],
                (0.95, ">="),
                ("outcomes shuffled", parts["mixed"]["auroc"][:, 1]),
            ),
            *_efficiency(config, throws),
        ],
        "n_failed_seeds": int(_failed(parts).sum()),
        "baselines": _baselines(config, names, parts, throws),
        "effect_sizes": {
            f"throws, N = {n}: adaptive prior against no prior": results.effect_size(
                *(throws[arm][~_failed(parts), k] for arm in ("adaptive", "none"))
            )
            for k, n in enumerate(config.throws)
        },
    }


def write(config: dict, run, names: list[str], parts: Parts, result: dict) -> None:
    """Writes figures/ and report.html."""
    figures = run.workdir / "figures"
    passed = sum(item["passed"] for item in result["criteria"])
    html.write_report(
        run.workdir / "report.html",
        "Balloon",
        "Gravity is innate here, and yet balloons rise. One network corrects the prior and learns "
        f"how far to trust it. {passed} of {len(result['criteria'])} criteria hold over "
        f"{len(result['seeds'])} seeds.",
        result["criteria"],
        [
            _trust_section(config, figures, names, parts["trust"]),
            _mixed_section(figures, parts["mixed"]),
            _throws_section(config, figures, parts, result),
        ],
        config,
        result["versions"],
        result["monitors"],
    )


def _override(config, names: list[str], part: dict) -> list[dict]:
    weight = part["weight"]
    end = config.steps - 1
    balloons, normal = names.index("balloons"), names.index("normal")
    maps = {form: _ends(names, part, form, end) for form in ("grid", "free")}
    centre = config.grid // 2
    spread = {
        form: np.abs(ends - ends[:, centre, centre, None, None]).max((1, 2))
        for form, ends in maps.items()
    }
    risen = [k for k, name in enumerate(names) if name.startswith(("grid", "balloons"))]
    return [
        _criterion(
            "trust_falls",
            "Balloons only: trust in gravity after 1,000 steps, from 0.9",
            weight[:, balloons, end],
            (0.36, "<="),
            ("normal gravity", weight[:, normal, end]),
        ),
        _criterion(
            "trust_has_a_floor",
            "Balloons only: lowest trust at any step and pair of learning rates",
            weight[:, risen].min((1, 2)),
            (WEIGHT_FLOOR, ">="),
        ),
        _criterion(
            "balloons_rise",
            "Balloons only: percent of held-out balloons predicted to accelerate upwards",
            part["upward"][:, balloons],
            (99.0, ">="),
            ("prior alone", part["prior_upward"][:, balloons]),
        ),
        _criterion(
            "learning_rates_do_not_matter",
            "Balloons only: largest change of the final trust over ten-fold ranges of both rates",
            spread["grid"],
            (0.02, "<="),
            ("no price on the residual", spread["free"]),
        ),
    ]


def _kept(config, names: list[str], part: dict) -> list[dict]:
    weight = part["weight"]
    course = {name: weight[:, names.index(name)] for name in ("normal", "balloons_stay")}
    returned = weight[:, names.index("balloons"), -1]
    return [
        _criterion(
            "trust_returns",
            "Balloons, then stones: trust 1,000 steps after gravity returned",
            returned,
            (0.7, ">="),
            ("balloons stay", course["balloons_stay"][:, -1]),
        ),
        _criterion(
            "trust_is_kept",
            "Stones only: lowest trust at any step",
            course["normal"].min(1),
            (0.7, ">="),
            ("balloons only", course["balloons_stay"].min(1)),
        ),
    ]


def _efficiency(config, throws: dict[str, np.ndarray]) -> list[dict]:
    at = {n: k for k, n in enumerate(config.throws)}
    gain, wrong = (throws[arm] - throws["none"] for arm in ("adaptive", "wrong"))
    most = max(config.throws)
    out = [
        _criterion(
            f"gain_at_{n}",
            f"{n} throws: points of accuracy that the prior adds to the tuned arm without",
            gain[:, at[n]],
            (needed, ">="),
            ("upside-down prior", wrong[:, at[n]]),
        )
        for n, needed in ((20, 7.2), (50, 5.5))
    ]
    out.append(
        _criterion(
            f"equal_at_{most}",
            f"{most} throws: points between the arms with and without the prior, either way",
            np.abs(gain[:, at[most]]),
            (1.0, "<="),
        )
    )
    strict = config.seeds >= ENOUGH
    ending = " (near end of the interval)" if strict else ""
    for n in (n for n in config.throws if n >= 20):
        rival = ("no prior", (throws["none"] - throws["prior"])[:, at[n]]) if n == 20 else None
        out.append(
            _criterion(
                f"beats_prior_alone_at_{n}",
                f"{n} throws: points by which learning beats the prior alone{ending}",
                (throws["adaptive"] - throws["prior"])[:, at[n]],
                (0.0, ">="),
                rival,
                by_interval=strict,
            )
        )
    return out


def _criterion(name, claim, per_seed, needed, control=None, by_interval=False) -> dict:
    """A failed seed is written as None; a control is judged by the mean of its finished seeds."""
    values = [float(v) if np.isfinite(v) else None for v in per_seed]
    rival = (control[0], float(np.nanmean(control[1]))) if control else None
    return results.criterion(name, claim, values, *needed, control=rival, by_interval=by_interval)


def _throws(parts: Parts) -> dict[str, np.ndarray]:
    """Percent right [S, sizes] of each arm and of the prior alone."""
    arms = {arm: parts[arm]["hits"][..., 0] for arm in ("adaptive", "none", "wrong")}
    return {**arms, "prior": parts["adaptive"]["prior_hits"][..., 0]}


def _ends(names: list[str], part: dict, form: str, step: int) -> np.ndarray:
    """[S, G, G] trust at `step` over the grid of learning rates."""
    rows = [k for k, name in enumerate(names) if name.startswith(f"{form}_")]
    side = round(len(rows) ** 0.5)
    return part["weight"][:, rows, step].reshape(-1, side, side)


def _baselines(config, names: list[str], parts: Parts, throws: dict[str, np.ndarray]) -> dict:
    end = config.steps - 1
    weight = parts["trust"]["weight"]
    errors = {arm: parts[arm]["nrmse"][..., 0] for arm in ("adaptive", "none", "wrong")}
    errors["prior"] = parts["adaptive"]["prior_nrmse"][..., 0]
    trusted, rises = parts["mixed"]["weight"][:, 0], parts["mixed"]["rises"][:, 0]
    return {
        "trust": {
            name: {"first phase": _mean(weight[:, k, end]), "end": _mean(weight[:, k, -1])}
            for k, name in enumerate(names)
            if not name.startswith(("grid", "free"))
        },
        "mixed": {"balloons": _mean(trusted[rises]), "stones": _mean(trusted[~rises])},
        "throws": {
            f"N = {n}": {
                ARM_LABELS[arm]: {
                    "percent right": _mean(right[:, k]),
                    "error in SD": _mean(errors[arm][:, k]),
                }
                for arm, right in throws.items()
            }
            for k, n in enumerate(config.throws)
        },
    }


def _mean(values: np.ndarray) -> float | None:
    finished = values[np.isfinite(values)]
    return float(finished.mean()) if finished.size else None


def _failed(parts: Parts) -> np.ndarray:
    """[S] seeds of which anything is not finite."""
    arrays = [a for part in parts.values() for a in part.values() if a.dtype.kind == "f"]
    return np.any([~np.isfinite(a.reshape(len(a), -1)).all(1) for a in arrays], axis=0)


def _trust_section(config: dict, figures, names: list[str], part: dict) -> html.Section:
    shown = {
        "balloons, then stones": "balloons",
        "stones": "normal",
        "stones, then balloons": "late",
        "the same, critical period over": "too_late",
    }
    curves = {label: part["weight"][:, names.index(name)] for label, name in shown.items()}
    steps = config["steps"]
    factors = 10 ** np.linspace(-0.5, 0.5, config["grid"])
    maps = {
        "with a price on the residual": _ends(names, part, "grid", steps - 1),
        "without: w means nothing": _ends(names, part, "free", steps - 1),
    }
    return html.Section(
        "Trust in gravity",
        "The prior says that everything accelerates downwards at 9.81 m/s². Balloons accelerate "
        "upwards at 5. The prediction is p + (1 − w) r(x), and a price on r makes a violated prior "
        "dear until w falls. Without that price any w fits any data, and where it ends is set by "
        "the learning rates.\n\nA critical period slows the trust's learning fifty-fold: a prior "
        "that held until then is given up less readily.",
        [
            (
                figures_priors.trust_curves(figures / "trust.png", curves, WEIGHT_FLOOR, steps),
                f"The trust at every step; the world changes at step {steps}.",
            ),
            (
                figures_priors.rate_maps(figures / "rates.png", maps, list(factors)),
                f"Trust after {steps} steps among balloons, mean of the seeds.",
            ),
        ],
    )


def _mixed_section(figures, part: dict) -> html.Section:
    trusted, rises = part["weight"][:, 0], part["rises"][:, 0]
    kinds = {"balloons": trusted[rises], "stones": trusted[~rises]}
    return html.Section(
        "Balloons among stones",
        "One body in five is a balloon, of the same sizes as the stones. The trust depends on what "
        "is seen of the body (velocity, size, mass), and no label says which is which.",
        [
            (
                figures_priors.trust_histogram(figures / "mixed.png", kinds, WEIGHT_FLOOR),
                "Trust in held-out bodies of all seeds.",
            )
        ],
    )


def _throws_section(config: dict, figures, parts: Parts, result: dict) -> html.Section:
    throws = {ARM_LABELS[arm]: right for arm, right in _throws(parts).items()}
    gains = parts["adaptive"]["hits"][..., 0] - parts["none"]["hits"][..., 0]
    said = ", ".join(
        f"{gain:+.1f} points at N = {n}"
        for n, gain in zip(config["throws"], np.nanmean(gains, 0), strict=True)
    )
    return html.Section(
        "Few throws",
        "Where will a light ball be, thrown through air? The prior knows flight without air. A "
        "prediction is right within 0.1 standard deviations. Every arm has the same network; the "
        "weight decay of each, and the price of the prior's residual, were chosen for each number "
        f"of throws on other seeds.\n\nThe prior's gain over no prior: {said}. The upside-down "
        "prior shows what a wrong one costs, with the prices of the right one.",
        [
            (
                figures_priors.sample_curves(
                    figures / "throws.png", config["throws"], {"": throws}, "percent right"
                ),
                "Held-out throws predicted rightly, against the number of throws learnt from.",
            )
        ],
    )
