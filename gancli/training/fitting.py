"""What is chosen so that it fits the data, where the user has not chosen: passes per epoch, batch size, image size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gancli.core.errors import UsageError
from gancli.core.nets import on_meta
from gancli.core.specs import Images

if TYPE_CHECKING:
    from collections.abc import Callable

    from gancli.core.config import Config, Layer
    from gancli.core.data import Dataset, Reading, Spec, Split

STEPS_IN_EPOCH = 150  # batches shrink until an epoch has as many steps
LARGE_IMAGE = 256 * 256  # pixels from which on a batch is limited
PIXELS_IN_BATCH = 16 * LARGE_IMAGE
SMALLEST_BATCH = 4
FEW = 20  # images, of which nothing but variations can be learned
SOON_MEMORIZED = 300  # images
SIDES = (1024, 512, 256, 128, 64, 32, 16, 8)


def for_data(plain: Config, asked: Layer, data: Dataset, choices: list[str]) -> Layer:
    """Choices for small data sets and for large images.

    Small sets get an epoch of about 10,000 images (`data.epoch`), several passes, and batches small enough for 150 steps in it: GAN
    training needs steps, and 50 plain epochs of 1,438 images in batches of 100 are 700 steps, which end in mode collapse. Images of
    256x256 and more get batches that fit into a few GB. No batch has more images than there are.
    """
    n = len(data)
    chosen = asked.get("data", {})
    least = chosen.get("epoch") or plain.data.epoch
    repeat = chosen.get("repeat") or (-(-least // n) if n <= least // 2 else 1)
    out: Layer = {"data": {"repeat": repeat}}
    if repeat > 1:
        choices.append(f"epochs of {repeat} passes, {n * repeat:,} images, since the data has {n:,}")
    if "batch_size" in asked:
        return out
    batch = plain.batch_size
    why = ""
    if n * repeat // batch < STEPS_IN_EPOCH:
        fits = max(16, 2 ** max(0, (n * repeat // STEPS_IN_EPOCH).bit_length() - 1))
        if fits < batch:
            batch, why = fits, f"for at least {STEPS_IN_EPOCH} steps in an epoch"
    pixels = getattr(data.spec, "height", 1) * getattr(data.spec, "width", 1)
    fits = max(SMALLEST_BATCH, PIXELS_IN_BATCH // pixels)
    if pixels >= LARGE_IMAGE and fits < batch:
        batch, why = fits, "which fit into a few GB"
    group = plain.task.group_size
    fits = max(n // group * group, 2 * group)
    if fits < batch:
        batch, why = fits, f"since the data has {n:,} images"
    if why:
        choices.append(f"batches of {batch}, {why}")
    return out if batch == plain.batch_size else {**out, "batch_size": batch}


def possible(cfg: Config, spec: Spec) -> None:
    """Raises UsageError if the task cannot build its nets for such data. They are built on the meta device, without memory."""
    with on_meta():
        cfg.task.nets(spec)


def size_for(cfg: Config, spec: Spec, asked: Layer) -> tuple[int, int] | None:
    """The image size to scale to, if the nets do not take the images as they are and the user has not chosen a size.

    Returns:
        (height, width), the largest square that they take, not larger than the images if there is one; None if nothing is to be done.
    """
    if (
        not isinstance(spec, Images)
        or not isinstance(spec, cfg.task.accepts)
        or asked.get("data", {}).get("image_size")
    ):
        return None
    if _takes(cfg, spec):
        return None
    shorter = min(spec.height, spec.width)
    smaller, larger = [s for s in SIDES if s <= shorter], [s for s in reversed(SIDES) if s > shorter]
    for side in (*smaller, *larger):
        if _takes(cfg, spec.replace(height=side, width=side)):
            return side, side
    return None


def _takes(cfg: Config, spec: Spec) -> bool:
    try:
        possible(cfg, spec)
    except UsageError:
        return False
    return True


def scaled(
    cfg: Config, split: Split[Any], size: tuple[int, int], read: Callable[[Reading], Split[Any]], reading: Reading
) -> tuple[Config, Split[Any], str]:
    """Configuration and data in another size, and what to say of it."""
    spec = split.train.spec
    said = f"images scaled from {spec.height}x{spec.width} to {size[0]}x{size[1]}, which the nets take"
    silent = replace(reading, size=size, note=lambda _text: None, warn=lambda _text: None)
    return cfg.replace(data=cfg.data.replace(image_size=size)), read(silent), said


def remarks(cfg: Config, split: Split[Any]) -> list[str]:
    """What the user should expect: of few images, and of classes that the nets do not use."""
    out, spec, n = [], split.train.spec, len(split.train)
    if n < FEW:
        out.append(
            f"{n} training images are very few: expect copies and small variations of them, and no reliable score"
        )
    elif n < SOON_MEMORIZED:
        out.append(
            f"{n} training {spec.unit} are few and soon memorized; more data help, or gan train --from RUN of similar ones"
        )
    classes = int(getattr(spec, "classes", 0))
    if classes > 1 and not cfg.task.choices(spec).classes:
        out.append(f"the nets are not conditional on the {classes} classes; --preset best is class-conditional")
    return out
