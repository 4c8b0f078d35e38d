"""Does the judge judge? Real images spoilt in known ways, and what each score makes of them.

    python benchmarks/judge.py --data-dir DATA --n 10000 --out docs/judge-directions.md

MNIST's training images are cut in two: 50,000 are the training set, and the other 10,000 play a perfect generator, which has
the right distribution and copies nothing. That one is judged against the 10,000 test images, then spoilt: noise, a class
dropped, one class only, one image only, 5 % and all of the training images replayed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from gancli.core.data import ImageDataset, Split
from gancli.evaluation.evaluator import Evaluation, Fakes, Judge
from gancli.evaluation.metrics.fid import fid

COLUMNS = (
    "fid", "fid-inf", "kid", "precision", "recall", "density", "coverage", "class-kl", "modes", "inception-score", "swd",
    "ssim-diversity", "ndb", "per-class-fid", "ct", "authpct", "copied", "copied-p",
)  # fmt: skip
MUST = {  # spoilt how -> scores that must move from the perfect generator's, and where to
    "noise (sd 24 of 255)": {"fid": 1, "kid": 1, "precision": -1, "density": -1, "swd": 1},
    "class 7 dropped": {"fid": 1, "kid": 1, "recall": -1, "coverage": -1, "class-kl": 1, "modes": -1, "ndb": 1},
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
    "5 % of the training images replayed": {"ct": -1, "authpct": -1, "copied": 1, "copied-p": -1},
    "training images only": {"ct": -1, "authpct": -1, "copied": 1, "copied-p": -1},
}
NOTES = (
    "`modes` counts a class that occurs at all: a few samples that the classifier takes for a seven keep it at 10 where sevens "
    "were dropped; `class-kl` and `coverage` tell. `copied-p` is small for the perfect generator, too, though only some 0.3 % of it "
    "looks copied: MNIST's test images are by other writers than its training images, so images from the training half do lie nearer "
    "to the training images. Read it with `copied`: the report raises the alarm from 1 % on."
)
STILL = {"5 % of the training images replayed": ("fid", "kid", "precision", "recall", "class-kl")}


def idx(path: Path) -> np.ndarray:
    """An IDX file (LeCun's format) of unsigned bytes as an array."""
    raw = path.read_bytes()
    sizes = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(sizes)


def mnist(folder: Path, name: str) -> ImageDataset:
    images = np.ascontiguousarray(idx(folder / f"{name}-images-idx3-ubyte")[:, None])
    return ImageDataset(images, idx(folder / f"{name}-labels-idx1-ubyte").astype(np.int64), classes=tuple("0123456789"))


def spoilt(good: ImageDataset, train: ImageDataset, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Sets of images uint8 [N, 1, 28, 28] by what is wrong with them."""
    n, images, labels = len(good.images), good.images, good.labels
    assert labels is not None

    def again(keep: np.ndarray) -> np.ndarray:
        return images[rng.choice(np.flatnonzero(keep), n, replace=keep.sum() < n)]

    def replayed(share: float) -> np.ndarray:
        out, copies = images.copy(), round(share * n)
        out[:copies] = train.images[rng.permutation(len(train.images))[:copies]]
        return out

    filled = np.where((labels == 7)[:, None, None, None], again(labels != 7), images)
    return {
        "nothing": images,
        "noise (sd 24 of 255)": np.clip(images + rng.normal(0, 24, images.shape), 0, 255).astype(np.uint8),
        "class 7 dropped": filled,
        "class 3 only": again(labels == 3),
        "one image only": np.repeat(images[:1], n, 0),
        "5 % of the training images replayed": replayed(0.05),
        "training images only": replayed(1.0),
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
    """The 95 % interval of FID between random parts of the pooled features: what equal distributions give."""
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
        ok = moved(name, score, sign, results["nothing"], results[name])
        text = f"**{text}** {'↑' if sign > 0 else '↓'}" + ("" if ok else " ✗")
    elif score in STILL.get(name, ()):
        text += " =" if stayed(score, results["nothing"], results[name]) else " = ✗"
    return text


def report(results: dict[str, Evaluation], interval: tuple[float, float], seconds: float) -> str:
    good = results["nothing"]
    f, p = good.score("fid"), good.protocol
    within = interval[0] <= f.value <= interval[1]
    lines = [
        "# Which score notices what",
        "",
        f"Made by `benchmarks/judge.py`: {p['n_fake']:,} images in the generator's place, {p['n_real']:,} held-out reals, "
        f"{p['n_train']:,} training images, features `{p['features']}`; {seconds:.0f} s in all.",
        "",
        "Arrows: the score must move this way from the first row's, by more than two standard errors; `=`: it must not move. "
        "✗ marks where it did not do so.",
        "",
        "| what is wrong | " + " | ".join(COLUMNS) + " |",
        "|" + "-|" * (len(COLUMNS) + 1),
        *(f"| {name} | " + " | ".join(cell(name, c, results) for c in COLUMNS) + " |" for name in results),
        "| floor: training images as fakes | "
        + " | ".join("" if (v := good.score(c).floor) is None else f"{v:.3g}" for c in COLUMNS)
        + " |",
        "",
        f"Real against real: FID is {f.value:.4f} ± {f.error or 0:.4f}; random halves of the same images give {interval[0]:.4f} to "
        f"{interval[1]:.4f} (95 % of 200), and it lies {'within' if within else 'outside'}. This is the floor: what is left of FID "
        "where the distributions are equal is the price of few samples, and about inversely proportional to their number; "
        f"extrapolated to infinitely many it is {good.score('fid-inf').value:.4f} ± {good.score('fid-inf').error or 0:.4f}.",
        "",
        NOTES,
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--cache-dir", type=Path, required=True)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("docs/judge-directions.md"))
    a = parser.parse_args()
    begun = time.perf_counter()
    rng = np.random.default_rng(0)
    raw = a.data_dir / "MNIST" / "raw"
    order = rng.permutation(60_000)
    whole = mnist(raw, "train")
    train, good = whole.take(np.sort(order[10_000:])), whole.take(order[: a.n])
    judge = Judge(Split(train, mnist(raw, "t10k")), "digits-v1", n=a.n, cache_dir=a.cache_dir)
    results = {}
    for name, images in spoilt(good, train, rng).items():
        start = time.perf_counter()
        results[name] = judge(Fakes(images, None, {"spoilt": name}), floors=name == "nothing")
        print(f"{name}: {time.perf_counter() - start:.1f} s", flush=True)
    features = judge.extractor(good.images).features.astype(np.float64)
    text = report(results, predicted(judge.real.features, features, rng), time.perf_counter() - begun)
    a.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
