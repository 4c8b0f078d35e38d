"""A film of a run: its previews one after the other, each with its date."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from gancli.core.errors import CheckpointError, DataError, UsageError
from gancli.core.files import Folder
from gancli.core.video import captioned, video
from gancli.data.decode import BrokenImageError, header
from gancli.report.text import clock
from gancli.runs import journal
from gancli.runs.folder import Run

MOST = 300  # frames
WIDEST = 720  # pixels: larger previews are reduced
HOLD = 8  # times that the last frame is shown
CAP = 1 << 26  # bytes of a preview
PIXELS = 1 << 24  # of a preview
LARGEST = 1e15  # of the numbers of a journal
DATED = ("step", "images", "seconds")  # what a caption needs of a line of the journal
STEP = re.compile(r"\d{1,15}", re.ASCII)
FPS = 8.0


def film(run: Run, form: str, fps: float = FPS) -> bytes:
    """Make the film.

    Args:
        run: with previews, which are of the same seeds at all times.
        form: ".gif" or ".mp4".
        fps: frames per second.

    Returns:
        The content of the file.

    Raises:
        UsageError: the run has fewer than two previews, or the form is not available.
        DataError: a preview cannot be read.
    """
    files = previews(run)
    if len(files) < 2:
        line = (journal.read(run.journal) or [{}])[-1]
        images, step = (2 * max(1, int(line.get(key, 0))) for key in ("images", "step"))
        raise UsageError(
            f"{run.path} has {len(files)} previews that are pictures, and a film needs two",
            f"train longer: gan resume {run.word} --images {images} --max-steps {step}",
        )
    at = np.unique(np.linspace(0, len(files) - 1, min(MOST, len(files))).round().astype(int))
    known = {line["step"]: line for line in journal.read(run.journal) if all(_is_number(line.get(k)) for k in DATED)}
    shown = [files[i] for i in at]
    frames = [_frame(run, file, _caption(int(file.stem), known)) for file in shown]
    largest = max((f.shape[1:] for f in frames), key=lambda size: size[0] * size[1])
    frames = [_fitted(f, largest) for f in frames]
    return video([*frames, *frames[-1:] * HOLD], form, round(1000 / fps))


def previews(run: Run) -> list[Path]:
    """The pictures among a run's previews, oldest first; not those of a validation."""
    return sorted((p for p in run.samples.glob("*.png") if STEP.fullmatch(p.stem)), key=lambda p: int(p.stem))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < LARGEST


def _caption(step: int, known: dict[int, dict[str, float]]) -> str:
    """The step of a preview; its images and time, where the journal has a line of this step or later."""
    later = min((s for s in known if s >= step), default=None)
    if later is None:
        return f"step {step:,}"
    line = known[later]
    share = step / later if later else 0.0
    return f"step {step:,}   {round(line['images'] * share):,} images   {clock(line['seconds'] * share)}"


def _frame(run: Run, file: Path, caption: str) -> np.ndarray:
    """A preview with its caption below, uint8 [C, H, W]."""
    try:
        content = (Folder(run.path) / file.parent.name).read(file.name, CAP)
        head = header(content)
        if head.height * head.width > PIXELS:
            raise ValueError(f"{head.height}x{head.width} pixels are too many")
        return captioned(content, caption, WIDEST)
    except (BrokenImageError, CheckpointError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"cannot read the preview {file}: {error}", "delete it, and make the film again") from None


def _fitted(frame: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The frame at the top left of a black one."""
    out = np.zeros((frame.shape[0], *size), np.uint8)
    out[:, : frame.shape[1], : frame.shape[2]] = frame[:, : size[0], : size[1]]
    return out
