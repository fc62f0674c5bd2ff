"""The launcher that every experiment shares.

    if __name__ == "__main__":
        launch("babble", main)

`main(config, run)` works, logs and saves through `run` and ends with
`return run.result(criteria, seeds)`. Exit status: 0 every criterion passed, 1 one failed or the run
broke off (a finished run repeats its status), 2 bad input, 130 or 143 stopped.
"""

import errno
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Never

import jax

import experiments
from experiments import _config
from experiments._config import BadInput, Command
from experiments._run import Finished, Interrupted, Run, exit_status
from nsca_jax.checkpoint import CheckpointError
from nsca_jax.training import parallel
from nsca_jax.training.faults import FaultError

Main = Callable[[Any, Run], Mapping[str, Any]]
CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)

__all__ = ["BadInput", "Run", "launch"]


def launch(
    name: str,
    main: Main,
    check: Callable[[Any], None] | None = None,
    steering: Sequence[str] = (),
    shares_seeds: bool = False,
) -> Never:
    """Runs the experiment `name` by its command line, and exits.

    `check(config)` may refuse a config before any work, by ValueError or BadInput. `steering` names
    fields that another call in the same workdir may change (see `Run`). `shares_seeds`: several
    devices may work on one seed.
    """
    sys.exit(_launch(name, main, check, steering, shares_seeds))


def _launch(name: str, main: Main, check, steering: Sequence[str], shares_seeds=False) -> int:
    try:
        command = _config.parse(name, sys.argv[1:])
        if command.help:
            print(_teach(name, command))
            return 0
        config: Any = command.config
        spare_the_collector()
        set_up_jax(config.get("seeds"), shares_seeds)
        if check is not None:
            check(config)
        run = Run(name, command.workdir, config.to_dict(), steering)
    except (BadInput, ValueError) as error:
        return _tell(error, 2)
    except OSError as error:
        return _tell(f"{error.filename or command.workdir}: {error.strerror}.", 2)
    except Finished as done:
        print(done)
        return 0 if done.passed else 1
    return _work(main, config, run, command)


def _work(main: Main, config: Any, run: Run, command: Command) -> int:
    _listen(run)
    try:
        result = main(config, run)
        run.finish(result)
    except Interrupted as stopped:
        again = " ".join([f"python -m experiments.{run.name}", *command.arguments])
        run.say(f"{run.workdir}: stopped, {stopped}; the same command goes on:\n  {again}")
        return exit_status(run.signal or signal.SIGINT)
    except BadInput as error:
        return _tell(error, 2)
    except CheckpointError as error:
        return _tell(f"{error}. Delete {run.workdir / 'checkpoints'} to start over.", 1)
    except FaultError as error:
        return _tell(f"{run.workdir}: {error}; what was saved before is kept.", 1)
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        where = error.filename or run.workdir
        return _tell(f"cannot write {where}: {error.strerror}; what was saved is kept.", 1)
    finally:
        run.close()
    return _conclude(run, result)


def _conclude(run: Run, result: Mapping[str, Any]) -> int:
    for item in result["criteria"]:
        value = "no value" if item["value"] is None else f"{item['value']:.4g}"
        mark = "passed" if item["passed"] else "FAILED"
        print(f"{mark}  {item['name']}: {value} ({item['direction']} {item['threshold']:g})")
    if result["n_failed_seeds"]:
        print(f"FAILED  {result['n_failed_seeds']} of {len(result['seeds'])} seeds broke off")
    for item in result.get("monitors", ()):
        if item["alarm"]:
            value = f"{item['statistic']}: {item['value']:.3g} (limit {item['limit']:g})"
            print(f"alarm   {item['name']}: {value}; helps: {item['remedy']}")
    report = run.workdir / "report.html"
    shown = report if report.exists() else run.workdir / "result.json"
    print(f"{'report' if shown == report else 'result'}: {shown}")
    return 0 if result["passed"] else 1


def spare_the_collector() -> None:
    """What was imported stays, and a trace makes many objects and few cycles: to look through them
    every 700 objects, as Python would, takes a sixth of the time of tracing.
    """
    gc.freeze()
    gc.set_threshold(20_000)


def set_up_jax(seeds: int | None = None, shares_seeds: bool = False) -> None:
    """Before anything compiles: the persistent compilation cache, and so many CPU devices that the
    cores share these seeds, or each of them (nsca_jax/training/parallel.py); a GPU's devices are
    counted by itself.
    """
    said = jax.config.jax_num_cpu_devices  # pyright: ignore[reportAttributeAccessIssue]
    if said < 1:  # neither by the environment nor by an earlier call
        cores = experiments.CORES
        count = parallel.host_devices(max(1, seeds or cores), cores, shares_seeds)
        jax.config.update("jax_num_cpu_devices", count)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = os.environ.get("JAX_COMPILATION_CACHE_DIR") or str(home / "nsca_jax" / "xla")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def _listen(run: Run) -> None:
    """The first Ctrl-C or SIGTERM sets `run.signal`; a second ends the process at once.

    Python runs signal handlers only between its own instructions, and a compiled chunk may take
    minutes: the signals are read from a pipe by a thread instead.
    """
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)

    def wait() -> None:
        while number := os.read(read_end, 1)[0]:
            if number not in (signal.SIGINT, signal.SIGTERM):
                continue
            if run.signal:
                os._exit(exit_status(number))
            run.signal = number
            run.say("stopping after this chunk; once more to stop at once")

    threading.Thread(target=wait, daemon=True, name="signals").start()


def _teach(name: str, command: Command) -> str:
    """What --help prints."""
    path = command.source.partition(":")[0]
    module = _config.read_file(path)
    presets = module.get("PRESETS", ())
    fields = _config.fields(command.config)
    width = max(map(len, fields))
    lines = [
        (sys.modules["__main__"].__doc__ or name).strip(),
        "",
        f"usage: python -m experiments.{name} [--config={path}[:PRESET]] [--config.FIELD=VALUE ...]"
        " [--workdir=DIR]",
        "",
        f"presets: {', '.join(presets) or 'none'} (the first is the default)",
        f"fields of {command.source}:",
        *(f"  {field.ljust(width)}  {value}" for field, value in fields.items()),
        "",
        "The same command in the same workdir goes on where a run stopped; Ctrl-C stops it safely.",
        f"example: python -m experiments.{name} --config={path}"
        f"{':' + presets[0] if presets else ''} --workdir=runs/{name}-try",
    ]
    return "\n".join(lines)


def _tell(message: Any, status: int) -> int:
    print(message, file=sys.stderr)
    return status
