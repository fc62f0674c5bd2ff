"""Filmstrips, animations and sounds of interactions, as files a browser plays."""

import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

INK, MUTED, PAPER = "#e8ebf2", "#9aa3b2", "#12151c"
FONT_PX = 14
STRIP = 1.8  # height of a caption strip, in font sizes
GAP_PX = 4


def filmstrip(
    path: str | Path,
    frames: np.ndarray,
    captions: Sequence[str],
    moments: Sequence[str],
    scale: int = 4,
) -> Path:
    """A PNG with a row per interaction and a column per moment.

    `frames` is uint8 [N, T, H, W, 3], enlarged `scale` times; `captions` [N], `moments` [T].
    """
    n, t, height, width, _ = _frames(frames).shape
    _expect_count("captions", captions, n)
    _expect_count("moments", moments, t)
    cell_w, cell_h = width * scale + GAP_PX, height * scale + GAP_PX
    font_px = max(FONT_PX, t * cell_w // 44)  # a wide sheet shrinks on a phone: stay readable
    strip_px = round(STRIP * font_px)
    row_h = cell_h + strip_px
    sheet = Image.new("RGB", (t * cell_w + GAP_PX, n * row_h + strip_px + GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for j, moment in enumerate(moments):
        _write(draw, (GAP_PX + j * cell_w, 0), moment, MUTED, width * scale, font_px)
    for i, caption in enumerate(captions):
        top = strip_px + i * row_h
        _write(draw, (GAP_PX, top), caption, INK, t * cell_w - GAP_PX, font_px)
        for j in range(t):
            sheet.paste(_enlarge(frames[i, j], scale), (GAP_PX + j * cell_w, top + strip_px))
    path = _parent_made(path)
    sheet.save(path, format="PNG", optimize=True)
    return path


def animation(
    path: str | Path,
    frames: np.ndarray,
    captions: Sequence[str],
    times_s: Sequence[float],
    scale: int = 10,
    frame_ms: int = 80,
) -> Path:
    """An endless GIF that plays N interactions one after another, under a caption strip.

    `frames` is uint8 [N, T, H, W, 3]; `captions` [N] such as "glass jar · drop"; `times_s` [T] is
    written beside the caption. The last frame of an interaction stays for a second.
    """
    n, t, height, width, _ = _frames(frames).shape
    _expect_count("captions", captions, n)
    _expect_count("times_s", times_s, t)
    strip_px = round(STRIP * FONT_PX)
    pages, durations = [], []
    for i, caption in enumerate(captions):
        for j, time_s in enumerate(times_s):
            page = Image.new("RGB", (width * scale, height * scale + strip_px), PAPER)
            page.paste(_enlarge(frames[i, j], scale), (0, strip_px))
            draw = ImageDraw.Draw(page)
            clock = f"{time_s:.2f} s"
            clock_px = int(draw.textlength(clock, font=_font(FONT_PX))) + 2 * GAP_PX
            _write(draw, (GAP_PX, 0), caption, INK, width * scale - clock_px - GAP_PX)
            _write(draw, (width * scale - clock_px, 0), clock, MUTED, clock_px)
            pages.append(page.quantize(colors=128, dither=Image.Dither.NONE))
            durations.append(1000 if j == t - 1 else frame_ms)
    path = _parent_made(path)
    pages[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=pages[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return path


def write_wav(path: str | Path, waveform: np.ndarray, rate_hz: int, peak: float = 0.9) -> Path:
    """A mono 16-bit WAV of `waveform` [samples], scaled so that its loudest sample is `peak`.

    Silence stays silence. Raises `ValueError` on a non-finite sample, an empty or stacked waveform.
    """
    waveform = np.asarray(waveform, np.float64)
    if waveform.ndim != 1 or not waveform.size:
        raise ValueError(f"waveform has shape {waveform.shape}, needs [samples], at least one")
    bad = int((~np.isfinite(waveform)).sum())
    if bad:
        raise ValueError(f"waveform has {bad} non-finite samples of {waveform.size}")
    loudest = float(np.abs(waveform).max())
    gain = peak / loudest if loudest > 0 else 0.0
    samples = np.round(32767 * gain * waveform).astype("<i2")
    path = _parent_made(path)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(samples.tobytes())
    return path


def _frames(frames: np.ndarray) -> np.ndarray:
    if frames.ndim != 5 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
        raise ValueError(
            f"frames is {frames.dtype} {frames.shape}, needs uint8 [N, T, H, W, 3], not empty"
        )
    return frames


def _expect_count(name: str, values: Sequence[object], n: int) -> None:
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} entries, the frames need {n}")


def _enlarge(frame_HxWx3: np.ndarray, scale: int) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(frame_HxWx3))
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size_px)


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    colour: str,
    room_px: int,
    font_px: int = FONT_PX,
) -> None:
    """One line in the middle of a strip; what does not fit ends in an ellipsis."""
    font = _font(font_px)
    if draw.textlength(text, font=font) > room_px:
        while text and draw.textlength(text + "...", font=font) > room_px:
            text = text[:-1]
        text = text.rstrip() + "..."
    draw.text(
        (corner[0], corner[1] + STRIP * font_px / 2), text, fill=colour, font=font, anchor="lm"
    )


def _parent_made(path: str | Path) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
