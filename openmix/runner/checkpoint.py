"""Checkpoints: written whole or not at all, read without executing anything.

A file is a magic word, the SHA-256 of the rest, and a ``torch.save`` of tensors, numbers and
strings. A torn or altered file is recognised by its digest and passed over for the one before.
"""

import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from openmix import atomic

MAGIC = b"openmix1"
PATTERN = "step-*.ckpt"
KEPT = 2


class CheckpointError(RuntimeError):
    """A checkpoint file cannot be used; the message says why."""


def save(folder: Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write ``state`` as the checkpoint after ``step`` steps and drop all but the last two.

    Raises OSError when the disk refuses; older checkpoints then stay as they are.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    payload = buffer.getbuffer()
    target = folder / f"step-{step:09d}.ckpt"
    with atomic.replacing(target) as file:
        file.write(MAGIC + hashlib.sha256(payload).digest())
        file.write(payload)
    for old in _files(folder)[KEPT:]:
        old.unlink(missing_ok=True)
    return target


def read(path: Path) -> dict[str, Any]:
    """The state in one file, on the CPU. Raises CheckpointError if it is torn or altered."""
    data = path.read_bytes()
    head = len(MAGIC) + 32
    if data[: len(MAGIC)] != MAGIC or len(data) < head:
        raise CheckpointError(f"{path} is no checkpoint of openmix")
    payload = memoryview(data)[head:]
    if hashlib.sha256(payload).digest() != data[len(MAGIC) : head]:
        raise CheckpointError(f"{path} is damaged")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)


def exists(folder: Path) -> bool:
    """Whether there is a checkpoint, sound or not."""
    return bool(_files(folder))


def newest(folder: Path) -> dict[str, Any] | None:
    """The state of the newest sound checkpoint, or None; damaged ones are warned of and removed."""
    for path in _files(folder):
        try:
            return read(path)
        except (CheckpointError, OSError) as error:
            warnings.warn(f"{error}; falling back to the checkpoint before it", stacklevel=2)
            path.unlink(missing_ok=True)
    return None


def clear(folder: Path) -> None:
    """Remove all checkpoints, and what a killed writer left behind."""
    for path in [*_files(folder), *folder.glob(".step-*.tmp")]:
        path.unlink(missing_ok=True)


def digest(state: Any) -> str:
    """SHA-256 over names, types, shapes and bytes of a nested state of tensors and plain values."""
    total = hashlib.sha256()

    def add(name: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for key in value:
                add(f"{name}.{key}", value[key])
        elif isinstance(value, list | tuple):
            for i, item in enumerate(value):
                add(f"{name}.{i}", item)
        elif isinstance(value, torch.Tensor):
            total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            flat = value.detach().cpu().contiguous().flatten()
            total.update(flat.view(torch.uint8).numpy() if flat.numel() else b"")
        else:
            total.update(f"{name} {value!r}".encode())

    add("", state)
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    """Checkpoints, newest first."""
    return sorted(folder.glob(PATTERN), reverse=True)
