"""Small clips in the layouts of the published data sets, made here."""

# PyAV's streams of an unknown codec are of any kind to pyright.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

import json

import av
import numpy as np

from nsca_jax.data.video import Settings

ENCODERS = {
    ".webm": ("libvpx", {"deadline": "realtime", "cpu-used": "8"}),
    ".mp4": ("libx264", {"preset": "ultrafast"}),
}
TEMPLATES = {
    "Pushing something": "1",
    "Dropping something": "0",
    "Lifting a part of something": "2",
}
SMALL = Settings(frames=4, stride=2, height=24, width=32)


def film(path, frames=20, seed=0, size=(48, 64)):
    """A clip whose frame t is grey of the value 10 t, with noise in a corner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    codec, options = ENCODERS[path.suffix]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=12, options=options)
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for t in range(frames):
            image = np.full((*size, 3), 10 * t, np.uint8)
            image[:8, :8] = rng.integers(0, 255, (8, 8, 3))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        file.mux(stream.encode())


def something_something(folder, clips=6, labels=True):
    """The data set's layout, with so many clips in `train` and one in each other split."""
    for number in range(1, clips + 3):
        film(folder / "20bn-something-something-v2" / f"{number}.webm", seed=number)
    notes = folder / "labels" if labels else folder
    notes.mkdir(exist_ok=True)
    marked = ["[Something] falls", "Dropping [something]", "Lifting [a part] of [something]"]
    entries = [
        {
            "id": str(number),
            "label": "dropping a cup",
            "template": marked[1 + number % 2],
            "placeholders": ["a cup"],
        }
        for number in range(1, clips + 2)
    ]
    for name, value in {
        "labels.json": TEMPLATES,
        "train.json": entries[:clips],
        "validation.json": entries[clips:],
        "test.json": [{"id": str(clips + 2)}],
    }.items():
        (notes / name).write_text(json.dumps(value))
    (notes / "test-answers.csv").write_text(f"{clips + 2};Pushing something\n")
    return folder


def kinetics(folder, annotations=True, classes=True):
    """The data set's layout: two classes, one clip of the annotations missing."""
    rows = ["label,youtube_id,time_start,time_end,split"]
    listed = [
        ('"air drumming"', "-3B32lodo2M", 59, 69),
        ("zumba", "0abcdefgh_1", 0, 10),
        ("zumba", "zz-_defgh_2", 100, 110),
    ]
    for label, name, start, end in listed:
        rows.append(f"{label},{name},{start},{end},train")
        place = folder / "train" / label.strip('"') if classes else folder / "train"
        if name[0] != "z":
            film(place / f"{name}_{start:06d}_{end:06d}.mp4")
    notes = folder / "annotations" if annotations else folder
    notes.mkdir(exist_ok=True)
    (notes / "train.csv").write_text("\n".join(rows) + "\n")
    (notes / "val.csv").write_text(
        "label,youtube_id,time_start,time_end,split\nabseiling,a,0,10,val\n"
    )
    return folder


def clip_path(folder, number):
    return folder / "20bn-something-something-v2" / f"{number}.webm"
