"""How far a run is: a live line on a terminal, a plain line now and then when piped."""

import sys
import time
from typing import Any, TextIO

PLAIN_EVERY_S = 10.0
LIVE_EVERY_S = 0.1


class Progress:
    """Rate and time left count from the first call, so that what came before (compiling, an
    earlier part of a resumed run) does not distort them."""

    def __init__(self, stream: TextIO | None = None, clock=time.monotonic):
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.clock = clock
        self.first: tuple[float, float] | None = None  # (done, time)
        self.told = -float("inf")
        self.width = 0

    def tell(self, done: float, total: float, unit: str, /, **figures: float | str) -> None:
        """`done` of `total` units; the last one is always shown."""
        now = self.clock()
        self.first = self.first or (done, now)
        every_s = LIVE_EVERY_S if self.live else PLAIN_EVERY_S
        if now - self.told < every_s and done < total:
            return
        self.told = now
        line = self._line(done, total, unit, now, figures)
        if self.live:
            self.stream.write("\r" + line.ljust(self.width))
            self.width = len(line)
            if done >= total:
                self.stream.write("\n")
                self.width = 0
        else:
            self.stream.write(line + "\n")
        self.stream.flush()

    def say(self, text: str) -> None:
        """Prints a whole line, clear of the live one."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.width = 0
        self.stream.write(text + "\n")
        self.stream.flush()

    def _line(
        self, done: float, total: float, unit: str, now: float, figures: dict[str, Any]
    ) -> str:
        parts = [f"{100 * done / total:3.0f} %  {done:,.0f} of {total:,.0f} {unit}"]
        first_done, first_time = self.first or (done, now)
        if done > first_done and now > first_time:
            rate = (done - first_done) / (now - first_time)
            parts.append(f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2g}/s")
            if done < total:
                parts.append(f"{duration((total - done) / rate)} left")
        for name, value in figures.items():
            parts.append(f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}")
        return "  ".join(parts)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 05 min`."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {left:02d} s" if minutes else f"{left} s"
