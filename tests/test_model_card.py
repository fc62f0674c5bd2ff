"""The model's card: every figure comes from results, and what did not hold comes first."""

import pytest

from nsca_jax.reports import model_card, results


@pytest.fixture
def found():
    held = results.criterion(
        "sees", "Tells shapes", [0.8, 0.9, 0.85], 0.5, ">=", control=("raw pixels", 0.3)
    )
    fell = results.criterion("hears", "Tells hardness", [0.41, 0.43, 0.42], 0.6, ">=")
    rival = results.criterion("late", "Stays small", [1.0, 1.2, 1.1], 2.0, "<=", ("nothing", 1.5))
    made = {
        "vision": results.build("vision", [held], [0, 1, 2], config_hash="0" * 16, wall_s=1.0),
        "audio": results.build(
            "audio",
            [fell, rival],
            [0, 1, 2],
            config_hash="f" * 16,
            wall_s=60.0,
            gate="gate failed: balloon.trust_falls",
        ),
    }
    return made


def card(found, folder):
    return model_card.write(
        folder,
        found,
        {"encoder.npz": "an eye", "ear.npz": "an ear"},
        {"vision": {"objects_a": "set_a.yaml", "seeds": 3}, "audio": {}},
        {"config": "a" * 16, "gate": "gate failed: balloon.trust_falls"},
    ).read_text()


def test_measured_figures_stand_in_it_with_their_intervals(found, tmp_path):
    text = card(found, tmp_path)
    low, high = found["vision"]["criteria"][0]["ci95"]
    assert f"0.85 ± 0.029 ({low:.3g} … {high:.3g})" in text
    assert "raw pixels 0.3" in text
    assert "over n = 3 seeds" in text


def test_what_did_not_hold_comes_before_what_was_measured(found, tmp_path):
    text = card(found, tmp_path)
    head, tail = text.split("## What did not hold")
    listed = tail.split("## Measured")[0]
    assert "## Measured" not in head
    assert "audio: Tells hardness (`hears`): 0.42, needed >= 0.6" in listed
    assert "1.1, which its control nothing reached too, needed <= 2" in listed
    assert "Tells shapes" not in listed


def test_nothing_failed_is_said_too(found, tmp_path):
    assert "Every criterion held." in card({"vision": found["vision"]}, tmp_path)


def test_it_says_what_it_is_how_to_use_it_and_what_made_it(found, tmp_path):
    text = card(found, tmp_path)
    assert 'model, params = nsca_jax.load("encoder.npz")' in text
    assert "- `ear.npz`: an ear" in text
    assert "- vision: objects_a set_a.yaml, seeds 3" in text
    assert "Gate failed: balloon.trust_falls." in text
    for part in ("a" * 16, "0" * 16, "f" * 16, "jax ", "python ", "## Limits"):
        assert part in text


def test_a_model_without_weights_says_so(found, tmp_path):
    text = model_card.text(found, {}, {}, {})
    assert "No phase left weights." in text
