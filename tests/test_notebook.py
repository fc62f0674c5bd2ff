"""The example notebook: it runs, headless, from nothing but the repository."""

import json
import os
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PATH = ROOT / "notebooks" / "example.ipynb"


def test_the_stored_notebook_shows_its_results_and_names_no_machine():
    book = nbformat.read(PATH, as_version=4)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert any("image/png" in out.get("data", {}) for cell in cells for out in cell.outputs)
    assert all(cell.execution_count for cell in cells)
    text = json.dumps(book)
    assert str(ROOT) not in text
    assert str(Path.home()) + "/" not in text
    assert PATH.stat().st_size < 300_000


@pytest.mark.slow
@pytest.mark.guard
def test_the_notebook_runs_and_foresees_what_the_simulation_does(monkeypatch):
    cache = Path.home() / ".cache" / "nsca_jax" / "xla"
    monkeypatch.setenv(
        "JAX_COMPILATION_CACHE_DIR", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache))
    )
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    book = nbformat.read(PATH, as_version=4)
    moved = (
        "assert bool((miss_m < moved_m).all()), (miss_m, moved_m)"  # better than "nothing moves"
    )
    book.cells.append(nbformat.v4.new_code_cell(moved))
    where = {"metadata": {"path": str(PATH.parent)}}
    nbclient.NotebookClient(book, timeout=600, resources=where).execute()
    figures = [out for cell in book.cells for out in cell.get("outputs", []) if "data" in out]
    assert any("image/png" in out["data"] for out in figures)
