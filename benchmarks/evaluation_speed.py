"""FID and KID of 10,000 images, by `gan` and by torch-fidelity, with the same feature net on the same images.

    python benchmarks/evaluation_speed.py --data-dir DATA --results evaluation-speed.json

MNIST's first training images in the samples' place, its test images as reals; features `digits-v1`, registered with torch-fidelity as
one of its own. Each time is of everything from arrays in memory to the scores, features of both sets included and nothing cached, after
a warm-up on a few images. Pairs alternate in who goes first. The least possible is the feature net's passes alone, over both sets.
`gan` also computes standard errors, and KID over all samples, where torch-fidelity has 100 subsets of 1,000; `gan evaluate` adds
reference scores: what training images get. Nothing else may run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from metric_sensitivity import mnist
from sizes import facts, table
from torch.utils.data import Dataset
from torch_fidelity import FeatureExtractorBase, calculate_metrics, register_feature_extractor

from gancli.core.data import Split
from gancli.core.images import ImageSamples
from gancli.data.images import ImageDataset
from gancli.evaluation.contracts import BATCH, Extractor
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.training.precision import set_threads

FEATURES = "digits-v1"
THEIRS = {"fid": "frechet_inception_distance", "kid": "kernel_inception_distance_mean"}
WARM = 256  # images of a warm-up


class Images(Dataset[torch.Tensor]):
    """uint8 [N, C, H, W], one at a time, as torch-fidelity asks for them."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = torch.from_numpy(images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> torch.Tensor:
        return self.images[i]


def register(extractor: Extractor) -> None:
    """Make our feature net one of torch-fidelity's."""

    class Ours(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_options: Any) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("features",)

        @staticmethod
        def get_default_feature_layer_for_metric(_metric: str) -> str:
            return "features"

        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (extractor.forward(ImageSamples(images.numpy()))[0],)

    register_feature_extractor(FEATURES, Ours)


def by_gan(split: Split[ImageDataset], fake: np.ndarray, metrics: list[str], baselines: bool) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as cache:
        evaluator = Evaluator(split.train, split.test, FEATURES, n=len(fake), cache_dir=Path(cache))
        found = evaluator(Generated(ImageSamples(fake)), metrics, baselines=baselines)
    return {m: found.score(m).value for m in metrics}


def by_torch_fidelity(real: np.ndarray, fake: np.ndarray, metrics: list[str]) -> dict[str, float]:
    found = calculate_metrics(
        input1=Images(fake),
        input2=Images(real),
        feature_extractor=FEATURES,
        batch_size=BATCH,
        kid_subset_size=min(1000, len(real), len(fake)),
        cuda=False,
        verbose=False,
        **dict.fromkeys(metrics, True),
    )
    return {m: found[THEIRS[m]] for m in metrics}


def passes(extractor: Extractor, sets: list[np.ndarray]) -> dict[str, float]:
    """The feature net alone."""
    with torch.inference_mode():
        for images in sets:
            for first in range(0, len(images), BATCH):
                extractor.forward(ImageSamples(images[first : first + BATCH]))
    return {}


def timed(work: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data-dir", type=Path, required=True, help="the folder that holds MNIST/")
    p.add_argument("--n", type=int, default=10_000)
    p.add_argument("--metrics", default="fid,kid", choices=["fid,kid", "fid", "kid"])
    p.add_argument("--pairs", type=int, default=3)
    p.add_argument("--threads", type=int, default=0, help="0: all cores")
    p.add_argument("--results", type=Path)
    a = p.parse_args()
    set_threads(a.threads)
    warnings.filterwarnings("ignore", message="This DataLoader will create")  # torch-fidelity's own choice of workers
    known, metrics, raw = facts(), a.metrics.split(","), a.data_dir / "MNIST/raw"
    split = Split(mnist(raw, "train"), mnist(raw, "t10k"))
    with tempfile.TemporaryDirectory() as cache:
        evaluator = Evaluator(split.train, split.test, FEATURES, n=a.n, cache_dir=Path(cache))
        real = np.ascontiguousarray(evaluator.real.take(np.arange(len(evaluator.real))).images)
    extractor, fake = evaluator.extractor, split.train.images[: a.n].copy()
    assert extractor is not None
    register(extractor)
    few = Split(split.train, ImageDataset(real[:WARM], None))
    by_gan(few, fake[:WARM], metrics, False)
    by_torch_fidelity(real[:WARM], fake[:WARM], metrics)
    contest: dict[str, Callable[[], dict[str, float]]] = {
        "gan": lambda: by_gan(split, fake, metrics, False),
        "torch-fidelity": lambda: by_torch_fidelity(real, fake, metrics),
    }
    beside: dict[str, Callable[[], dict[str, float]]] = {
        "gan, reference scores too": lambda: by_gan(split, fake, metrics, True),
        "the net's passes alone": lambda: passes(extractor, [real, fake]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in (*contest, *beside)}
    values: dict[str, dict[str, float]] = {}
    for pair in range(a.pairs):
        order = list(contest.items())[:: -1 if pair % 2 else 1]
        for name, work in (*order, *beside.items()):
            took, values[name] = timed(work)
            seconds[name].append(took)
    least = statistics.median(seconds["the net's passes alone"])
    rows = [
        {"what": name, "seconds": statistics.median(s), "least": min(s), "most": max(s), "x passes": statistics.median(s) / least}
        | {m: f"{values[name][m]:.6g}" if values[name] else "" for m in metrics}
        for name, s in seconds.items()
    ]  # fmt: skip
    ratios = sorted(b / a_ for a_, b in zip(seconds["gan"], seconds["torch-fidelity"], strict=True))
    table(f"{a.metrics} of {len(fake):,} images against {len(real):,}, {a.pairs} pairs", rows)
    print(f"\ntorch-fidelity / gan: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
    if a.results:
        found = {"n": a.n, "metrics": metrics, "seconds": seconds, "values": values, "ratios": ratios}
        a.results.write_text(json.dumps({"machine": known, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
