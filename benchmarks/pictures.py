"""The table of pictures: data x preset x budget x seed, scored by ImageNet features, with a page of samples for each run.

    python benchmarks/pictures.py --place RUNS --data photos=PHOTOS --arms best,fastgan --minutes 10 --threads 2
    python benchmarks/pictures.py --place LONGER --earlier RUNS --data photos=PHOTOS --arms best --minutes 30
    python benchmarks/pictures.py --place RUNS --data photos=PHOTOS --arms best,fastgan --minutes 10 --measure
    python benchmarks/pictures.py --place RUNS --data photos=PHOTOS --arms best,fastgan --minutes 10 --device cuda --jobs 8
    python benchmarks/pictures.py --place RUNS --data photos=PHOTOS --arms peer-dcgan,peer-sngan --minutes 10 --peer-python PYTHON
    python benchmarks/pictures.py --place RUNS --table

--data NAME=PATH, or NAME=PATH@64 for another size, or NAME=PATH@64@unlabeled; PATH may be the name of a data set. --arms PRESET, or
NAME:PRESET:KEY=VALUE;KEY=VALUE for a preset with other options, or @GROUP (see GROUPS). The budget is a number of training images
(--images), minutes (--minutes), or the minutes of the machine on which --measure has timed a few steps of each arm: the runs themselves
may take place on a faster one. With --earlier, copies of runs of fewer minutes are resumed: the same as a run of all the minutes, but for
schedules fitted to a length. A row that is there is not made again.

peer-NAME is benchmarks/peers/NAME.py, trained for the minutes themselves on the training images of another arm with the same data, which
has to be there; PYTHON has the package of the peer.

Samples are compared with the test set; with all training images where the test set has fewer than 1,000, as papers on few images do.
`copied` is always measured with the test set.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sampling import generating

from gancli.core.data import Reading, Split
from gancli.core.images import ImageSamples, grid, png
from gancli.core.registry import build
from gancli.evaluation import inputs
from gancli.evaluation.contracts import silent
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.evaluation.metrics.distances import nearest
from gancli.runs import journal
from gancli.runs.folder import Run
from gancli.training.prepare import cache_dir

METRICS = ("fid", "kid", "prc")
COSINE = 'optimizer.schedule={shape="cosine",final=0.05}'
FASTER = f"optimizer.lr=5e-4;optimizer.betas=[0.0,0.99];{COSINE}"
SHIFTS = 'task.augment=[{name="diffaugment",color=false,cutout=0.0,translation=0.125}]'
GROUPS = {  # arms that belong together: --arms @NAME
    "presets": ",".join(["best", *generating()]),
    "textbook": (  # 1,100,000 images are about 150 s on two cores
        f"textbook,cosine:textbook:optimizer.lr=4e-4;{COSINE},betas:textbook:{FASTER},smooth:textbook:{FASTER};task.loss.smooth=0.1,"
        f'r1:textbook:{FASTER};task.penalties=[{{name="r1",weight=0.5,every=4}}],'
        f'r1-strong:textbook:{FASTER};task.penalties=[{{name="r1",weight=5.0,every=4}}],'
        f'r1-bare:textbook:{FASTER};task.model.dropout=0.0;task.penalties=[{{name="r1",weight=1.0,every=4}}],'
        f'shifts:textbook:{FASTER};{SHIFTS},shifts-r1:textbook:{FASTER};{SHIFTS};task.penalties=[{{name="r1",weight=0.5,every=4}}],'
        f'small:textbook:{FASTER};batch_size=50;task.penalties=[{{name="r1",weight=0.5,every=4}}],'
        f'lecam:textbook:{FASTER};task.penalties=["lecam"],slow-d:textbook:{FASTER};optimizers.D.lr=2e-4'
    ),
}
FEW = 1_000  # test images below which samples are compared with the training images
PEER = "peer-"
PAGE = 64  # samples on a page


@dataclass(frozen=True)
class Cell:
    """One run."""

    data: str
    options: list[str]  # of `gan train`, that name the data
    arm: str
    preset: str
    sets: list[str]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}-{self.arm}-{self.seed}"

    def command(self, place: Path, *more: str) -> list[str]:
        """`gan train`."""
        sets = [word for item in self.sets for word in ("--set", item)]
        where = ["--runs-dir", str(place), "--name", self.name, "--preset", self.preset, "--seed", str(self.seed)]
        return [sys.executable, "-m", "gancli", "train", *self.options, *where, *sets, *more]


def data_options(text: str) -> tuple[str, list[str]]:
    """NAME=PATH@SIZE@unlabeled -> the name, and options of `gan train`."""
    name, _, rest = text.partition("=")
    path, *more = rest.split("@")
    options = ["--data", path]
    for word in more:
        options += ["--set", "task.condition=none"] if word == "unlabeled" else ["--image-size", word]
    return name, options


def cells(a: argparse.Namespace) -> Iterator[Cell]:
    """All runs asked for."""
    where = [] if a.data_dir is None else ["--data-dir", str(a.data_dir)]
    arms = GROUPS[a.arms[1:]] if a.arms.startswith("@") else a.arms
    for data in a.data:
        name, options = data_options(data)
        options += where
        for arm in re.split(r",(?=[\w-]+(?:[:,]|$))", arms):
            short, _, rest = arm.partition(":")
            preset, _, sets = rest.partition(":")
            for seed in map(int, a.seeds.split(",")):
                yield Cell(name, options, short, preset or short, [s for s in sets.split(";") if s], seed)


def rates(place: Path) -> dict[str, float]:
    """Images per second by data and arm, as --measure found them."""
    file = place / "rates.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def measure(cell: Cell, a: argparse.Namespace) -> None:
    """Time a few steps here."""
    done = subprocess.run(
        cell.command(a.place, "--dry-run", "--json", "--device", "cpu", "--threads", str(a.threads)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    found = rates(a.place) | {f"{cell.data} {cell.arm}": json.loads(done.stdout)["images_per_s"]}
    (a.place / "rates.json").write_text(json.dumps(found, indent=1))
    print(cell.data, cell.arm, found[f"{cell.data} {cell.arm}"], "images/s", flush=True)


def length(cell: Cell, a: argparse.Namespace) -> list[str]:
    """Options of `gan train`: training images if they or the speed are known, else the minutes."""
    speed = rates(a.place).get(f"{cell.data} {cell.arm}", 0.0)
    images = a.images or round(speed * 60 * (a.minutes or 0.0))
    return ["--images", str(images)] if images else ["--max-minutes", str(a.minutes)]


def peer(cell: Cell, a: argparse.Namespace) -> None:
    """Train a peer on the training images of an arm of ours, and score its samples."""
    other = next(run for run in sorted(a.place.glob(f"{cell.data}-*-*")) if (run / "model").is_dir())
    folder, samples = a.place / f"{cell.data}.images", a.place / f"{cell.name}.samples"
    run = Run(other)
    _, _, split = inputs.of_run(run, None, reading(run), True, torch.device("cpu"))
    if not folder.is_dir():
        folder.mkdir()
        for i, image in enumerate(split.train.samples().images):
            (folder / f"{i:05d}.png").write_bytes(png(image))
    script = Path(__file__).parent / "peers" / f"{cell.arm.removeprefix(PEER)}.py"
    words = ["--folder", folder, "--size", split.train.spec.height, "--minutes", a.minutes, "--seed", cell.seed]
    words += ["--n", a.n, "--threads", a.threads, "--out", samples]
    if not samples.is_dir():
        done = subprocess.run([a.peer_python, script, *map(str, words)], capture_output=True, text=True, check=False)
        if done.returncode:
            print(cell.name, "failed:", done.stderr.strip()[-300:], flush=True)
            return
        (samples.with_suffix(".txt")).write_text(done.stdout)
    images = int(samples.with_suffix(".txt").read_text().split()[0].replace(",", ""))
    facts = {"data": cell.data, "arm": cell.arm, "seed": cell.seed, "minutes": a.minutes, "sets": [], "images": images}
    facts |= {"preset": cell.arm, "seconds": 60 * a.minutes, "images_per_s": images / (60 * a.minutes), "device": "cpu"}
    score_in_a_process(cell, a, facts, "--score-with", other.name)


def score_in_a_process(cell: Cell, a: argparse.Namespace, facts: dict[str, Any], *more: str) -> None:
    score = [sys.executable, __file__, "--place", str(a.place), "--score", cell.name, "--device", a.device, *more]
    subprocess.run([*score, "--facts", json.dumps(facts), "--n", str(a.n), "--threads", str(a.threads)], check=True)
    row = json.loads((a.place / f"{cell.name}.row.json").read_text())
    print(cell.name, {k: v[:1] for k, v in row["scores"].items()}, flush=True)


def trained(cell: Cell, a: argparse.Namespace) -> None:
    """Train a run and score it, in processes of their own."""
    row = a.place / f"{cell.name}.row.json"
    if row.is_file():
        return
    if cell.arm.startswith(PEER):
        peer(cell, a)
        return
    options = ["--device", a.device, "--threads", str(a.threads), "--quiet"]
    run = a.place / cell.name
    if not (run / "model").is_dir():
        if a.earlier:
            earlier = a.earlier / cell.name
            shutil.copytree(earlier, run)
            more = a.minutes - json.loads(earlier.with_suffix(".row.json").read_text())["minutes"]
            command = [sys.executable, "-m", "gancli", "resume", str(run), "--max-minutes", str(more), *options]
        else:
            command = cell.command(a.place, *length(cell, a), *options, "--set", "intervals.keep=1")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(cell.name, "failed:", done.stderr.strip()[-300:], flush=True)
            return
    facts = {"data": cell.data, "arm": cell.arm, "seed": cell.seed, "minutes": a.minutes, "sets": cell.sets}
    score_in_a_process(cell, a, facts)


def compared_with(split: Split[Any]) -> tuple[Any, str]:
    """The images that samples are compared with, and what they are called."""
    return (split.test, "test set") if len(split.test) >= FEW else (split.train, "training set")


def scored(made: Generated, split: Split[Any], source: str, n: int, device: str) -> dict[str, list[float | None]]:
    """Scores, their standard errors and reference scores."""
    reals, name = compared_with(split)
    out: dict[str, list[float | None]] = {}
    for features, metrics in ((None, METRICS), (build("features", "random-conv"), ("fid",))):
        evaluator = Evaluator(
            split.train, reals, source, n=n, features=features, cache_dir=cache_dir(), device=device, name=name
        )
        found = evaluator(made, metrics, insist=False).scores
        out |= {key: [score.value, score.error, score.reference] for key, score in found.items()}
    unseen = Evaluator(split.train, split.test, source, n=n, cache_dir=cache_dir(), device=device)
    copied = unseen(made, ("memorization",), insist=False).scores
    return out | {key: [score.value, score.error, score.reference] for key, score in copied.items()}


def page(samples: ImageSamples, split: Split[Any], source: str, device: str) -> bytes:
    """The first samples, not chosen, and beside them the training image that is nearest to each by the features."""
    train = split.train.take(slice(0, 10_000))
    evaluator = Evaluator(train, train, source, n=len(train), cache_dir=cache_dir(), device=device)
    assert evaluator.extractor is not None
    first = samples.take(slice(0, PAGE))
    parts = [first.take(slice(i, i + 32)) for i in range(0, len(first), 32)]
    features = evaluator.extractor(parts, len(first)).features
    _, index = nearest(features, evaluator.train.extracted.features, 2)
    left, right = (grid(x.images, 8) for x in (first, evaluator.train.take(index[:, 0])))
    gap = np.full((left.shape[0], left.shape[1], 16), 255, np.uint8)
    return png(np.concatenate([left, gap, right], 2))


def reading(run: Run) -> Reading:
    """How its data are read."""
    return Reading(inputs.data_dir(run) or cache_dir(), cache_dir(), download=False)


def score(a: argparse.Namespace) -> None:
    """Score a run; called in a process of its own."""
    run = Run(a.place / (a.score_with or a.score))
    model, source, split = inputs.of_run(run, None, reading(run), True, torch.device(a.device))
    reals, _ = compared_with(split)
    row = json.loads(a.facts) | {"n_real": min(len(reals), a.n)}
    if a.score_with:
        made = inputs.pictures(a.place / f"{a.score}.samples", split, reading(run))
        first = made.samples.take(np.arange(PAGE))
    else:
        made = inputs.of_model(model, split.train, reals, a.n, 0, cache_dir(), silent)
        first = model.generate(model.task.preview(model.spec, split.train, PAGE))
        lines = journal.read(run.journal)
        row |= {
            "preset": run.config().preset,
            "images": model.tick.images,
            "seconds": lines[-1]["seconds"],
            "images_per_s": float(np.median([line["images_per_s"] for line in lines])),
            "device": run.json("environment.json")["device"],
        }
    assert isinstance(first, ImageSamples)
    row["scores"] = scored(made, split, source.features, a.n, a.device)
    (a.place / f"{a.score}.png").write_bytes(page(first, split, source.features, a.device))
    (a.place / f"{a.score}.row.json").write_text(json.dumps(row, indent=1))


COLUMNS = ("fid", "kid", "precision", "recall", "copied", "fid@random-conv")


def value(row: dict[str, Any], name: str) -> float | None:
    """A score of a row, by its features' own; of other features by the whole name."""
    keys = [
        k for k in row["scores"] if k == name or ("@" not in name and k.split("@")[0] == name and "random" not in k)
    ]
    found = [row["scores"][k][0] for k in keys if not k.endswith("@pixels")]
    return found[0] if found else None


def table(place: Path) -> str:
    """All rows, the seeds of an arm in one: mean, and the range where there are several."""
    rows = [json.loads(file.read_text()) for file in sorted(place.glob("*.row.json"))]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["data"], row["minutes"] or "", row["arm"]), []).append(row)

    def cell(group: list[dict[str, Any]], name: str) -> str:
        values = [v for r in group if (v := value(r, name)) is not None]
        if not values:
            return "–"
        span = f" ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else ""
        return f"{np.mean(values):.3g}{span}"

    heads = ["data", "minutes", "arm", "images", "seeds", *COLUMNS, "images/s"]
    lines = ["| " + " | ".join(heads) + " |", "|" + "-|" * len(heads)]
    order = sorted(groups, key=lambda k: (k[0], str(k[1]), np.mean([value(r, "fid") or 0.0 for r in groups[k]])))
    for key in order:
        group = groups[key]
        first = [key[0], str(key[1]), f"`{key[2]}`", f"{group[0]['images']:,}", str(len(group))]
        rate = f"{np.median([r['images_per_s'] for r in group]):.0f}"
        lines.append("| " + " | ".join([*first, *(cell(group, c) for c in COLUMNS), rate]) + " |")
    return "\n".join(lines)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", type=Path, required=True, help="folder of runs, rows and pages")
    parser.add_argument("--data", action="append", default=[], help="NAME=PATH[@SIZE][@unlabeled]")
    parser.add_argument("--data-dir", type=Path, default=None, help="of named data sets")
    parser.add_argument("--arms", default="@presets")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--images", type=int, default=None)
    parser.add_argument("--earlier", type=Path, default=None, help="folder of runs of fewer minutes, to go on with")
    parser.add_argument("--peer-python", default=sys.executable, help="of an environment with the packages of peers")
    parser.add_argument("--n", type=int, default=2_000, help="samples that are scored")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    for name in ("measure", "table"):
        parser.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--score", default="", help=argparse.SUPPRESS)
    parser.add_argument("--score-with", default="", help=argparse.SUPPRESS)
    parser.add_argument("--facts", default="{}", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    a = arguments()
    a.place.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(a.threads)
    if a.table:
        print(table(a.place))
    elif a.score:
        score(a)
    elif a.measure:
        for cell in cells(a):
            if not cell.arm.startswith(PEER):
                measure(cell, a)
    else:
        begun = time.monotonic()
        with ThreadPoolExecutor(a.jobs) as pool:
            list(pool.map(lambda cell: trained(cell, a), cells(a)))
        print(f"{time.monotonic() - begun:.0f} s\n\n{table(a.place)}")


if __name__ == "__main__":
    main()
