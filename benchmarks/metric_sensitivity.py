"""Which metric reacts to which defect: real images with a known defect, and the scores that they get.

    python benchmarks/metric_sensitivity.py --data-dir DATA --cache-dir CACHE --out docs/metric-sensitivity.md
    python benchmarks/metric_sensitivity.py --data PHOTOS --cache-dir CACHE --out docs/metric-sensitivity-color.md

MNIST's training images are divided in two: 50,000 are the training set, and the other 10,000 take the place of a perfect generator,
which has the right distribution and copies nothing. They are evaluated against the 10,000 test images, first unchanged, then with a
defect: noise, a class missing, one class only, one image only, 5 % or all of the samples copied from the training set. Of a folder of
color images with classes, a fifth takes the place of the generator and a fifth that of the test set.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gancli.core.data import Reading, Source
from gancli.core.images import ImageSamples
from gancli.core.registry import build
from gancli.data.find import read, source_for
from gancli.data.images import ImageDataset
from gancli.evaluation.contracts import BATCH
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.evaluation.metrics.fid import fid
from gancli.evaluation.results import Evaluation

COLUMNS = (
    "fid", "fid-inf", "kid", "precision", "recall", "density", "coverage", "class-kl", "modes", "inception-score", "swd",
    "ssim-diversity", "ndb", "per-class-fid", "ct", "authpct", "copied", "copied-p",
)  # fmt: skip
ROUNDS = 200  # random divisions of the real images
NOISE, COPIED, ALL, ONE = (
    "noise (sd 24 of 255)", "5 % copied from the training set", "all copied from the training set", "one image only",
)  # fmt: skip
MEMORIZED = {"ct": -1, "authpct": -1, "copied": 1, "copied-p": -1}
MUST = {  # defect -> scores that must move away from those of the perfect generator, and in which direction
    NOISE: {"fid": 1, "kid": 1, "precision": -1, "density": -1, "swd": 1},
    "class 7 missing": {"fid": 1, "kid": 1, "recall": -1, "coverage": -1, "class-kl": 1, "modes": -1, "ndb": 1},
    "class 3 only": {"fid": 1, "kid": 1, "recall": -1, "coverage": -1, "class-kl": 1, "modes": -1, "inception-score": -1},
    ONE: {"fid": 1, "recall": -1, "coverage": -1, "ssim-diversity": -1, "inception-score": -1, "ndb": 1},
    COPIED: MEMORIZED,
    ALL: MEMORIZED,
}  # fmt: skip
MNIST_NOTES = (
    "`modes` counts every class that occurs at least once. Where class 7 is missing it stays at 10, because the classifier takes a "
    "few other digits for sevens; `class-kl` and `coverage` detect the defect.",
    "`copied-p` is small even for the perfect generator, although only about 0.3 % of its samples look copied: the test images of "
    "MNIST come from other writers than its training images, so images taken from the training half are in fact nearer to the "
    "training set. Read it together with `copied`; `evaluation.png` highlights a share of copies from 1 % on.",
)
COLOR_NOTES = (
    "`precision` and `density` do not show noise, they rise; `fid`, `kid`, `recall` and `coverage` show it. `swd` and `ndb` hardly react "
    "in so few images, and `ct` does not show 5 % of copies, as `copied` and `copied-p` do.",
)
STILL = {COPIED: ("fid", "kid", "precision", "recall", "class-kl")}


def idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun's format) of unsigned bytes as an array."""
    raw = path.read_bytes()
    sizes = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def mnist(folder: Path, name: str) -> ImageDataset:
    images = np.ascontiguousarray(idx(folder / f"{name}-images-idx3-ubyte")[:, None])
    return ImageDataset(images, idx(folder / f"{name}-labels-idx1-ubyte").astype(np.int64), classes=tuple("0123456789"))


@dataclass(frozen=True)
class Sets:
    """The data of the experiment: training images, those that take the generator's place, test images; their features."""

    train: ImageDataset
    good: ImageDataset
    test: ImageDataset
    features: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of_mnist(cls, raw: Path, n: int, rng: np.random.Generator) -> Sets:
        order, whole = rng.permutation(60_000), mnist(raw, "train")
        train, good = whole.take(np.sort(order[10_000:])), whole.take(order[:n])
        return cls(train, good, mnist(raw, "t10k"), "digits-v1", MNIST_NOTES)

    @classmethod
    def of_folder(cls, folder: Path, cache_dir: Path, n: int, rng: np.random.Generator) -> Sets:
        how = Reading(data_dir=folder, cache_dir=cache_dir, whole=True)
        source = build("data", source_for(str(folder)))
        assert isinstance(source, Source)
        whole = read(source, how).train
        order, size = rng.permutation(len(whole)), min(n, len(whole) // 5)
        test, good, train = order[:size], order[size : 2 * size], order[2 * size :]
        return cls(whole.take(np.sort(train)), whole.take(good), whole.take(test), "auto", COLOR_NOTES)


def with_defects(good: ImageDataset, train: ImageDataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sets of images uint8 [N, C, H, W] by their defect."""
    n, images, labels = len(good.images), good.images, good.labels
    assert labels is not None

    def again(keep: np.ndarray) -> np.ndarray:
        found: np.ndarray = images[rng.choice(np.flatnonzero(keep), n, replace=keep.sum() < n)]
        return found

    def copied(share: float) -> np.ndarray:
        out, copies = images.copy(), round(share * n)
        out[:copies] = train.images[rng.permutation(len(train.images))[:copies]]
        return out

    filled = np.where((labels == 7)[:, None, None, None], again(labels != 7), images)
    return {
        "none": images,
        NOISE: np.clip(images + rng.normal(0, 24, images.shape), 0, 255).astype(np.uint8),
        "class 7 missing": filled,
        "class 3 only": again(labels == 3),
        ONE: np.repeat(images[:1], n, 0),
        COPIED: copied(0.05),
        ALL: copied(1.0),
    }


def moved(name: str, score: str, sign: int, before: Evaluation, after: Evaluation) -> bool:
    """Whether a score moved as it must, by more than two standard errors where there is one."""
    if score == "copied-p":
        return after.score(score).value < 0.05
    a, b = before.score(score), after.score(score)
    noise = 2 * float(np.hypot(a.error or 0, b.error or 0)) if name != ONE else 0
    return sign * (b.value - a.value) > noise


def stayed(score: str, before: Evaluation, after: Evaluation) -> bool:
    a, b = before.score(score), after.score(score)
    return abs(b.value - a.value) <= 3 * float(np.hypot(a.error or 0, b.error or 0))


def predicted(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The 95 % interval of the FID between random divisions of the pooled features: what equal distributions give."""
    pool, n = np.concatenate([real, fake]), len(real)
    values = []
    for _ in range(ROUNDS):
        order = rng.permutation(len(pool))
        values.append(fid(pool[order[:n]], pool[order[n:]]))
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def cell(name: str, score: str, results: dict[str, Evaluation]) -> str:
    value = results[name].score(score).value
    text = f"{value:.3g}"
    sign = MUST.get(name, {}).get(score)
    if sign is not None:
        ok = moved(name, score, sign, results["none"], results[name])
        text = f"**{text}** {'↑' if sign > 0 else '↓'}" + ("" if ok else " ✗")
    elif score in STILL.get(name, ()):
        text += " =" if stayed(score, results["none"], results[name]) else " = ✗"
    return text


def report(
    results: dict[str, Evaluation], interval: tuple[float, float], seconds: float, of: str, notes: tuple[str, ...]
) -> str:
    good = results["none"]
    f, p = good.score("fid"), good.protocol
    known = [c for c in COLUMNS if any(name.split("@")[0] == c for name in good.scores)]
    within = "within" if interval[0] <= f.value <= interval[1] else "outside"
    infinite = good.score("fid-inf") if "fid-inf" in known else None
    lines = [
        "# Which metric reacts to which defect" + ("" if notes else ", color images"),
        "",
        f"This page is the output of `benchmarks/metric_sensitivity.py`: {p['n_fake']:,} images in place of the generator's samples, "
        f"{p['n_real']:,} test images, {p['n_train']:,} training images, features `{p['features']}`. It took {seconds:.0f} s.",
        "",
        "```",
        of,
        "```",
        "",
        "An arrow marks a score that must move in that direction, away from the first row, by more than two standard errors. `=` marks "
        "a score that must not move. ✗ marks an expectation that is not met.",
        "",
        "| defect | " + " | ".join(known) + " |",
        "|" + "-|" * (len(known) + 1),
        *(f"| {name} | " + " | ".join(cell(name, c, results) for c in known) + " |" for name in results),
        "| reference: training images as samples | "
        + " | ".join("" if (v := good.score(c).reference) is None else f"{v:.3g}" for c in known)
        + " |",
        "",
        "## Notes",
        "",
        f"The FID of real against real images is {f.value:.4f} ± {f.error or 0:.4f}. Random divisions of the same images into two sets "
        f"give {interval[0]:.4f} to {interval[1]:.4f} (95 % of {ROUNDS}), and the value lies {within} that range. "
        "This is the reference score: with a finite number of samples FID is positive even if the distributions are equal, and this bias "
        "is about inversely proportional to the number of samples."
        + (
            f" Extrapolated to infinitely many samples it is {infinite.value:.4f} ± {infinite.error or 0:.4f}."
            if infinite
            else ""
        ),
        "",
        *(line for note in notes for line in (note, "")),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="where MNIST is")
    parser.add_argument("--data", type=Path, help="a folder of color images with classes, instead of MNIST")
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("docs/metric-sensitivity.md"))
    a = parser.parse_args()
    begun = time.perf_counter()
    rng = np.random.default_rng(0)
    sets = (
        Sets.of_folder(a.data, a.cache_dir, a.n, rng)
        if a.data
        else Sets.of_mnist(a.data_dir / "MNIST" / "raw", a.n, rng)
    )
    evaluator = Evaluator(sets.train, sets.test, sets.features, n=len(sets.good), cache_dir=a.cache_dir)
    results = {}
    for name, images in with_defects(sets.good, sets.train, rng).items():
        start = time.perf_counter()
        results[name] = evaluator(Generated(ImageSamples(images), {"defect": name}))
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    assert evaluator.extractor is not None
    good = sets.good.images
    chunks = (ImageSamples(good[i : i + BATCH]) for i in range(0, len(good), BATCH))
    features = evaluator.extractor(chunks, len(good)).features.astype(np.float64)
    where = "--data PHOTOS" if a.data else "--data-dir DATA"
    command = f"python benchmarks/metric_sensitivity.py {where} --cache-dir CACHE --out docs/{a.out.name}"
    interval = predicted(evaluator.real.features, features, rng)
    text = report(results, interval, time.perf_counter() - begun, command, sets.notes)
    a.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
