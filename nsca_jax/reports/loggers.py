"""TensorBoard and Weights & Biases behind one writer: they are told what metrics.jsonl is told.

The file is the truth. A writer that opens tells its loggers the whole of it anew, so that after an
interruption they hold what the file holds, and no line twice.
"""

import importlib.util
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nsca_jax.reports import metrics

PACKAGES = {"tensorboard": "tensorboardX", "wandb": "wandb"}
PROJECT = "nsca_jax"


class LoggerError(ValueError):
    """A logger cannot be used; the message is one sentence that says what to do."""


class Logger(Protocol):
    """One logger of a run."""

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        """Numbers by name."""
        ...

    def close(self) -> None:
        """Writes what is held back."""
        ...


def check(names: Sequence[str]) -> None:
    """Raises LoggerError where one is not known or its package is not installed."""
    for name in names:
        if name not in PACKAGES:
            raise LoggerError(f"logger {name!r} is none of {', '.join(PACKAGES)}.")
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise LoggerError(
                f"logger {name!r} needs the package {PACKAGES[name]}: pip install 'nsca_jax[log]'."
            )


def scalars(record: Mapping[str, Any]) -> dict[str, float]:
    """A line of metrics.jsonl as numbers by name.

    A list has a number an entry (`loss/0` and so on, the seeds), a None has none, and the line's
    words, such as the name of an arm, stand in front of all names.
    """
    words = [value for value in record.values() if isinstance(value, str)]
    numbers: dict[str, float] = {}
    for name, value in record.items():
        if name != "step" and not isinstance(value, str):
            numbers |= _numbers("/".join([*words, name]), value)
    return numbers


def open_writer(
    names: Sequence[str], workdir: Path, name: str, config: Mapping[str, Any], wandb_mode: Any
) -> "Writer":
    """The loggers of the run `name` in `workdir`, told all that metrics.jsonl holds.

    `wandb_mode` is "offline" (nothing leaves the machine), "online" or "disabled". Raises
    LoggerError.
    """
    check(names)
    opened: list[Logger] = []
    for logger in names:
        if logger == "tensorboard":
            opened.append(TensorBoard(workdir / "tensorboard"))
        else:
            opened.append(WandB(workdir, name, config, wandb_mode))
    writer = Writer(opened)
    if (workdir / "metrics.jsonl").exists():
        for record in metrics.read(workdir / "metrics.jsonl")[0]:
            writer.write(record)
    return writer


class Writer:
    """Several loggers as one."""

    def __init__(self, opened: Sequence[Logger]):
        self._opened = opened

    def write(self, record: Mapping[str, Any]) -> None:
        """Tells all of them a line of metrics.jsonl."""
        for logger in self._opened:
            logger.write(record["step"], scalars(record))

    def close(self) -> None:
        """Writes what is held back."""
        for logger in self._opened:
            logger.close()


class TensorBoard:
    """Event files in `folder`, which is emptied."""

    def __init__(self, folder: Path):
        import tensorboardX

        shutil.rmtree(folder, ignore_errors=True)
        self._writer = tensorboardX.SummaryWriter(str(folder))

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class WandB:
    """A run in `workdir`/wandb; what an earlier one left there is removed.

    `step` is a figure like the others and their axis: W&B's own step may not go back, and each arm
    of an experiment counts from zero.
    """

    def __init__(self, workdir: Path, name: str, config: Mapping[str, Any], mode: Any):
        import wandb

        shutil.rmtree(workdir / "wandb", ignore_errors=True)
        self._teardown = wandb.teardown
        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, root_dir=str(workdir)
        )
        try:
            self._run = wandb.init(
                project=PROJECT, name=name, config=dict(config), mode=mode, settings=settings
            )
            self._run.define_metric("*", step_metric="step")
        except (wandb.Error, ValueError) as error:
            reason = " ".join(str(error).split())
            raise LoggerError(f"logger 'wandb' cannot be opened: {reason}") from error

    def write(self, step: int, scalars: Mapping[str, float]) -> None:
        self._run.log({"step": step, **scalars})

    def close(self) -> None:
        self._run.finish()
        self._teardown()  # waits until the file is written, as `finish` alone does not


def _numbers(name: str, value: Any) -> dict[str, float]:
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, Sequence):
        parts = enumerate(value)
    else:
        return {} if value is None or isinstance(value, str) else {name: float(value)}
    return {key: x for part, v in parts for key, x in _numbers(f"{name}/{part}", v).items()}
