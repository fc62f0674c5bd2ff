"""Files of weights as bytes: as they should be, and as they should not."""

import io
import json
import struct
import zipfile

import numpy as np


def packed(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def array(value, **options) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, value, **options)
    return buffer.getvalue()


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


def weights(header, **arrays) -> bytes:
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return packed(header=array(text), **{name: array(x) for name, x in arrays.items()})


def overstated() -> bytes:
    """A zip whose only member says that it unpacks to 4 GB."""
    content = bytearray(packed(header=array(np.zeros(3))))
    place = content.index(b"PK\x01\x02")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = archive.infolist()[0].file_size
    at = content.index(struct.pack("<I", size), place)
    content[at : at + 4] = struct.pack("<I", 2**32 - 2)
    return bytes(content)


def claims(shape) -> bytes:
    return npy(f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}")
