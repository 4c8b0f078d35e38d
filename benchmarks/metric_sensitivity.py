"""Which metric reacts to which defect: real images with a known defect, and the scores that they get.

    python benchmarks/metric_sensitivity.py --data-dir DATA --cache-dir CACHE --out docs/metric-sensitivity.md

MNIST's training images are divided in two: 50,000 are the training set, and the other 10,000 take the place of a perfect generator,
which has the right distribution and copies nothing. They are evaluated against the 10,000 test images, first unchanged, then with a
defect: noise, a class missing, one class only, one image only, 5 % or all of the samples copied from the training set.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from gancli.core.images import ImageSamples
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
MUST = {  # defect -> scores that must move away from those of the perfect generator, and in which direction
    "noise (sd 24 of 255)": {"fid": 1, "kid": 1, "precision": -1, "density": -1, "swd": 1},
    "class 7 missing": {"fid": 1, "kid": 1, "recall": -1, "coverage": -1, "class-kl": 1, "modes": -1, "ndb": 1},
    "class 3 only": {
        "fid": 1,
        "kid": 1,
        "recall": -1,
        "coverage": -1,
        "class-kl": 1,
        "modes": -1,
        "inception-score": -1,
    },
    "one image only": {"fid": 1, "recall": -1, "coverage": -1, "ssim-diversity": -1, "inception-score": -1, "ndb": 1},
    "5 % copied from the training set": {"ct": -1, "authpct": -1, "copied": 1, "copied-p": -1},
    "all copied from the training set": {"ct": -1, "authpct": -1, "copied": 1, "copied-p": -1},
}
NOTES = (
    "`modes` counts every class that occurs at least once. Where class 7 is missing it stays at 10, because the classifier takes a "
    "few other digits for sevens; `class-kl` and `coverage` detect the defect.",
    "`copied-p` is small even for the perfect generator, although only about 0.3 % of its samples look copied: the test images of "
    "MNIST come from other writers than its training images, so images taken from the training half are in fact nearer to the "
    "training set. Read it together with `copied`; `evaluation.png` highlights a share of copies from 1 % on.",
)
STILL = {"5 % copied from the training set": ("fid", "kid", "precision", "recall", "class-kl")}


def idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun's format) of unsigned bytes as an array."""
    raw = path.read_bytes()
    sizes = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def mnist(folder: Path, name: str) -> ImageDataset:
    images = np.ascontiguousarray(idx(folder / f"{name}-images-idx3-ubyte")[:, None])
    return ImageDataset(images, idx(folder / f"{name}-labels-idx1-ubyte").astype(np.int64), classes=tuple("0123456789"))


def with_defects(good: ImageDataset, train: ImageDataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sets of images uint8 [N, 1, 28, 28] by their defect."""
    n, images, labels = len(good.images), good.images, good.labels
    assert labels is not None

    def again(keep: np.ndarray) -> np.ndarray:
        return images[rng.choice(np.flatnonzero(keep), n, replace=keep.sum() < n)]

    def copied(share: float) -> np.ndarray:
        out, copies = images.copy(), round(share * n)
        out[:copies] = train.images[rng.permutation(len(train.images))[:copies]]
        return out

    filled = np.where((labels == 7)[:, None, None, None], again(labels != 7), images)
    return {
        "none": images,
        "noise (sd 24 of 255)": np.clip(images + rng.normal(0, 24, images.shape), 0, 255).astype(np.uint8),
        "class 7 missing": filled,
        "class 3 only": again(labels == 3),
        "one image only": np.repeat(images[:1], n, 0),
        "5 % copied from the training set": copied(0.05),
        "all copied from the training set": copied(1.0),
    }


def moved(name: str, score: str, sign: int, before: Evaluation, after: Evaluation) -> bool:
    """Whether a score moved as it must, by more than two standard errors where there is one."""
    if score == "copied-p":
        return after.score(score).value < 0.05
    a, b = before.score(score), after.score(score)
    noise = 2 * float(np.hypot(a.error or 0, b.error or 0)) if name != "one image only" else 0
    return sign * (b.value - a.value) > noise


def stayed(score: str, before: Evaluation, after: Evaluation) -> bool:
    a, b = before.score(score), after.score(score)
    return abs(b.value - a.value) <= 3 * float(np.hypot(a.error or 0, b.error or 0))


def predicted(real: np.ndarray, fake: np.ndarray, rng: np.random.Generator, rounds: int = 200) -> tuple[float, float]:
    """The 95 % interval of the FID between random divisions of the pooled features: what equal distributions give."""
    pool, n = np.concatenate([real, fake]), len(real)
    values = []
    for _ in range(rounds):
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


def report(results: dict[str, Evaluation], interval: tuple[float, float], seconds: float) -> str:
    good = results["none"]
    f, p = good.score("fid"), good.protocol
    within = interval[0] <= f.value <= interval[1]
    lines = [
        "# Which metric reacts to which defect",
        "",
        f"This page is the output of `benchmarks/metric_sensitivity.py`: {p['n_fake']:,} images in place of the generator's samples, "
        f"{p['n_real']:,} test images, {p['n_train']:,} training images, features `{p['features']}`. It took {seconds:.0f} s.",
        "",
        "```",
        "python benchmarks/metric_sensitivity.py --data-dir DATA --cache-dir CACHE --out docs/metric-sensitivity.md",
        "```",
        "",
        "An arrow marks a score that must move in that direction, away from the first row, by more than two standard errors. `=` marks "
        "a score that must not move. ✗ marks an expectation that is not met.",
        "",
        "| defect | " + " | ".join(COLUMNS) + " |",
        "|" + "-|" * (len(COLUMNS) + 1),
        *(f"| {name} | " + " | ".join(cell(name, c, results) for c in COLUMNS) + " |" for name in results),
        "| reference: training images as samples | "
        + " | ".join("" if (v := good.score(c).reference) is None else f"{v:.3g}" for c in COLUMNS)
        + " |",
        "",
        "## Notes",
        "",
        f"The FID of real against real images is {f.value:.4f} ± {f.error or 0:.4f}. Random divisions of the same images into two sets "
        f"give {interval[0]:.4f} to {interval[1]:.4f} (95 % of 200), and the value lies {'within' if within else 'outside'} that range. "
        "This is the reference score: with a finite number of samples FID is positive even if the distributions are equal, and this bias "
        "is about inversely proportional to the number of samples. Extrapolated to infinitely many samples it is "
        f"{good.score('fid-inf').value:.4f} ± {good.score('fid-inf').error or 0:.4f}.",
        "",
        NOTES[0],
        "",
        NOTES[1],
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("docs/metric-sensitivity.md"))
    a = parser.parse_args()
    begun = time.perf_counter()
    rng = np.random.default_rng(0)
    raw = a.data_dir / "MNIST" / "raw"
    order = rng.permutation(60_000)
    whole = mnist(raw, "train")
    train, good = whole.take(np.sort(order[10_000:])), whole.take(order[: a.n])
    test = mnist(raw, "t10k")
    evaluator = Evaluator(train, test, "digits-v1", n=a.n, cache_dir=a.cache_dir)
    results = {}
    for name, images in with_defects(good, train, rng).items():
        start = time.perf_counter()
        results[name] = evaluator(Generated(ImageSamples(images), {"defect": name}))
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    assert evaluator.extractor is not None
    chunks = (ImageSamples(good.images[i : i + BATCH]) for i in range(0, len(good), BATCH))
    features = evaluator.extractor(chunks, len(good)).features.astype(np.float64)
    text = report(results, predicted(evaluator.real.features, features, rng), time.perf_counter() - begun)
    a.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
