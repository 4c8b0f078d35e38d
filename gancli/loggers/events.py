"""Event files of TensorBoard, written and read without TensorBoard.

A file is a sequence of records: the length (uint64), its checksum, the content, its checksum (masked CRC-32C). A record
contains an `Event` in protocol buffers (tensorflow/core/util/event.proto and framework/summary.proto), of which only the fields
used here are written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from math import isfinite

LARGEST = 3.4028234e38  # of float32
SIGNATURE = b"\x89PNG\r\n\x1a\n"
VERSION = b"brain.Event:2"
TEXT, STRING = b"text", 7  # the name of the plug-in that shows texts; the dtype of strings


def event(time: float, step: int, *values: bytes) -> bytes:
    """An event with values of a step."""
    return _record(_double(1, time) + _number(2, step) + _bytes(5, b"".join(_bytes(1, v) for v in values)))


def head(time: float) -> bytes:
    """The first event of a file."""
    return _record(_double(1, time) + _bytes(3, VERSION))


def restart(time: float, step: int) -> bytes:
    """A program that has read this file or earlier ones forgets all from this step on."""
    return _record(_double(1, time) + _number(2, step) + _bytes(7, _number(1, 1)))


def scalar(tag: str, value: float) -> bytes:
    """A value of an event: a number. Finite ones are at most as large as float32 holds."""
    return (
        _bytes(1, tag.encode())
        + b"\x15"
        + struct.pack("<f", value if not isfinite(value) else min(max(value, -LARGEST), LARGEST))
    )


def image(tag: str, png: bytes) -> bytes:
    """A value of an event: an image. Raises ValueError if it is no PNG."""
    if len(png) < 24 or not png.startswith(SIGNATURE):
        raise ValueError("it is no PNG")
    width, height = struct.unpack(">II", png[16:24])
    content = _number(1, height) + _number(2, width) + _number(3, 3) + _bytes(4, png)
    return _bytes(1, tag.encode()) + _bytes(4, content)


def text(tag: str, words: str) -> bytes:
    """A value of an event: a text in Markdown."""
    metadata = _bytes(1, _bytes(1, TEXT))
    tensor = _number(1, STRING) + _bytes(2, _bytes(2, _number(1, 1))) + _bytes(8, words.encode())
    return _bytes(1, tag.encode()) + _bytes(8, tensor) + _bytes(9, metadata)


def records(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The whole records of a file: step, and the record itself. What is torn or damaged ends them."""
    at = 0
    while len(content) - at >= 12:
        (length,) = struct.unpack("<Q", content[at : at + 8])
        end = at + 12 + length + 4
        body = content[at + 12 : end - 4]
        if end > len(content) or _checksum(body) != content[end - 4 : end]:
            return
        yield _step(body), content[at:end]
        at = end


def _step(body: bytes) -> int:
    """Field 2 of an event, which follows the time; 0 if it is not there."""
    step = shift = 0
    if body[9:10] != b"\x10":
        return 0
    for byte in body[10:20]:
        step |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return step


def _record(body: bytes) -> bytes:
    length = struct.pack("<Q", len(body))
    return length + _checksum(length) + body + _checksum(body)


def _checksum(content: bytes) -> bytes:
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 255] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> list[int]:
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)  # noqa: PLW2901
        out.append(n)
    return out


def _varint(n: int) -> bytes:
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
