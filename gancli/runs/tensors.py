"""Reading and writing safetensors. Sizes, counts and shapes are checked before anything is allocated; nothing is executed."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from gancli.core.errors import CheckpointError
from gancli.runs.files import MAX_FILE

MAX_HEADER = 4 << 20
MAX_TENSORS = 20_000
MAX_RANK = 16
NAMES = {  # in the order in which their tensors stand in a file
    torch.int64: "I64", torch.float64: "F64", torch.float32: "F32", torch.int32: "I32", torch.bfloat16: "BF16",
    torch.float16: "F16", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
WIDTH = {name: dtype.itemsize for dtype, name in NAMES.items()}  # bytes


def encode(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> list[bytes | memoryview]:
    """Tensors as the parts of a safetensors file; equal tensors give equal bytes.

    The bytes equal those of `safetensors.torch.save`, which needs twice the memory of the tensors; this needs none.
    """
    flat = {k: _bytes(t) for k, t in tensors.items()}
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    order, end = list(NAMES), 0
    names = sorted(flat, key=lambda k: (order.index(tensors[k].dtype), k))
    for name in names:
        start, end = end, end + len(flat[name])
        dtype, shape = NAMES[tensors[name].dtype], list(tensors[name].shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return [struct.pack("<Q", len(text)) + text, *(flat[name] for name in names)]


def _bytes(tensor: Tensor) -> memoryview:
    whole = tensor.detach().cpu().contiguous()
    return whole.view(-1).view(torch.uint8).numpy().data


def decode(content: bytes, name: str) -> dict[str, Tensor]:
    """The tensors of a file. Raises CheckpointError with the file and the reason."""
    check_header(content, name)
    try:
        return dict(safetensors.torch.load(content))
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(f"{name} is not a whole safetensors file: {error}") from None


def check_header(content: bytes, name: str) -> dict[str, Any]:
    """The header, after all sizes in it have been checked. Raises CheckpointError."""
    size = struct.unpack("<Q", content[:8])[0] if len(content) >= 10 else 0
    if not 2 <= size <= min(MAX_HEADER, len(content) - 8) or content[8:9] != b"{":
        pickled = content[:2] == b"PK" or (content[:1] == b"\x80" and content[1:2] in b"\x02\x03\x04\x05")
        why = (
            "it is a pickle, which could run code; gan never reads one"
            if pickled
            else "it does not begin with a header"
        )
        raise CheckpointError(f"{name} is not a safetensors file: {why}")
    try:
        header = json.loads(content[8 : 8 + size])
        entries = {k: v for k, v in header.items() if k != "__metadata__"}
        total = sum(_entry_size(v) for v in entries.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"{name} has a damaged header: {error}") from None
    if len(entries) > MAX_TENSORS or total != len(content) - 8 - size:
        raise CheckpointError(
            f"{name}: the header speaks of {len(entries)} tensors of {total} bytes, which do not fit the file"
        )
    return dict(header)


def _entry_size(entry: dict[str, Any]) -> int:
    shape, (start, end) = entry["shape"], entry["data_offsets"]
    if len(shape) > MAX_RANK or any(type(n) is not int or not 0 <= n < 2**40 for n in shape):
        raise ValueError(f"impossible shape of rank {len(shape)}")
    size: int = prod(shape) * WIDTH[entry["dtype"]]
    if type(start) is not int or type(end) is not int or end - start != size:
        raise ValueError("a tensor's size does not fit its shape")
    return size


def most_bytes(wanted: Mapping[str, Tensor]) -> int:
    """The largest possible size of a file with these tensors: nothing larger is read."""
    return min(MAX_FILE, sum(t.numel() * t.element_size() for t in wanted.values()) + MAX_HEADER + 8)


def compare(found: dict[str, Tensor], wanted: dict[str, Tensor], name: str) -> None:
    """Raises CheckpointError unless all names, shapes and dtypes are as expected."""
    missing, extra = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    if missing or extra:
        what = f"lacks {missing[0]}" if missing else f"has an unknown {extra[0]}"
        raise CheckpointError(f"{name} does not fit this architecture: it {what}")
    for key, tensor in wanted.items():
        other = found[key]
        if other.shape != tensor.shape or other.dtype != tensor.dtype:
            have, want = f"{list(other.shape)} {other.dtype}", f"{list(tensor.shape)} {tensor.dtype}"
            raise CheckpointError(f"{name} does not fit this architecture: {key} is {have}, wanted {want}")
