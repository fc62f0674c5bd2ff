"""Write the measured figures into the documents: `python -m experiments.document` (or `make docs`).

Takes docs/results/NAME.json, the results of finished runs, and the last full `make bench`
and `benchmarks.scale`, and rewrites the tables of README.md and of docs/validation.md, training.md,
results.md and performance.md. What was measured but is no criterion (a result's `baselines`) goes
where a document has a block `NAME baselines`. Give result files to take them in first:
`python -m experiments.document runs/evidence/result.json` stores it as docs/results/evidence.json,
named by the run's folder, and `runs/validate/*/result.json` does so for every validation.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nsca_jax.reports import results, tables

ROOT = Path(__file__).parent.parent
STORE = ROOT / "docs" / "results"
SPEED = ROOT / "benchmarks" / "results" / "loop_cpu.json"
SCALE = ROOT / "benchmarks" / "results" / "scale_cpu.json"
IN_README = ("laptop", "evidence", "paper")
IN_TRAINING = ("vision", "audio", "fusion", "temporal", "memory", "words")
IN_RESULTS = ("transfer", "physion", "metaworld", "procgen", "ablate", "ablate_metaworld")
PERFORMANCE = {
    "floor": tables.floor_table,
    "predictions": tables.predictions_table,
    "figures": tables.figures_table,
}


def document_of(name: str) -> str:
    """Which document shows the result NAME."""
    if name in IN_README:
        return "README.md"
    if name in IN_RESULTS:
        return "docs/results.md"
    return "docs/training.md" if name in IN_TRAINING else "docs/validation.md"


def show(name: str, result: Mapping[str, Any]) -> None:
    """Writes result NAME's criteria into its document, and its baselines if there is a block."""
    document, block = ROOT / document_of(name), f"{name} baselines"
    tables.replace_block(document, name, tables.criteria_table(result))
    if tables.BEGIN.format(name=block) in document.read_text(encoding="utf-8"):
        tables.replace_block(document, block, tables.baselines_table(result))


def main(paths: list[str]) -> int:
    """Exit status: 0, or 2 where a file is no result."""
    try:
        for path in map(Path, paths):
            results.read(path)
            shutil.copyfile(path, STORE / f"{path.resolve().parent.name}.json")
        for path in sorted(STORE.glob("*.json")):
            show(path.stem, results.read(path))
        speed = json.loads(SPEED.read_text(encoding="utf-8"))
        tables.replace_block(ROOT / "README.md", "speed", tables.speed_table(speed))
        for name, table_of in PERFORMANCE.items():
            tables.replace_block(ROOT / "docs" / "performance.md", name, table_of(speed))
        if SCALE.exists():  # it takes an hour, and is not part of `make bench`
            scale = tables.scale_table(json.loads(SCALE.read_text(encoding="utf-8")))
            tables.replace_block(ROOT / "docs" / "performance.md", "scale", scale)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"tables written from {STORE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
