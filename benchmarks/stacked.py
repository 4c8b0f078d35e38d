"""Stacked MNIST, the field's test of mode collapse: of 1,000 classes, how many occur in 26,000 samples, and how evenly?

    python benchmarks/stacked.py --data-dir DATA --place RUNS --preset pacgan [--images 1000000] [--set task.pack=4 --name pacgan4]
    python benchmarks/stacked.py --data-dir DATA --place RUNS --run NAME      a run that is there, finished or not, without training it
    python benchmarks/stacked.py --plot --table                               docs/images/stacked.png, and the table of docs/family.md

Every checkpoint that is kept is evaluated: a point of the curve. Resumable: a run that is there is gone on with, and points that are there
are not made again. The classifier is `digits-v1`, channel by channel; KL is from the samples' classes to the training set's, in nats.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from runs import at, made_by, parameters, points, reading, rewrite, seconds, trained, with_error

from gancli.core.config import Layer, parse_set
from gancli.core.data import Split
from gancli.core.errors import GanError, UsageError
from gancli.data import find
from gancli.data.stacked_mnist import StackedMNIST
from gancli.evaluation import inputs
from gancli.evaluation.contracts import silent
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.results import Evaluation
from gancli.runs import checkpoint, folder
from gancli.runs.folder import Run
from gancli.training import precision
from gancli.training.prepare import cache_dir

MODES = 1000
SCORES = ("modes", "reverse-kl", "fid")
COLORS = ("#2a6fbb", "#d1603d", "#3d8f5f", "#8a5fb0", "#b08a2a", "#4aa3a8", "#a84a6f", "#6b7280")
PUBLISHED = (  # what, where, modes, KL
    ("DCGAN", "1705.07761", "99", "3.40"),
    ("VEEGAN", "1705.07761", "150", "2.95"),
    ("StyleGAN2", "2112.07804", "940", "0.42"),
    ("WGAN-GP", "2112.07804", "959", "0.73"),
    ("DDGAN", "2112.07804", "1000", "0.071"),
    ("PacDCGAN2", "1712.04086", "1000", "0.06"),
    ("R3GAN", "2501.05441", "1000", "0.029"),
)


def expected(n: int) -> float:
    """KL of a perfect sampler: a histogram of n samples is not flat, either."""
    return (MODES - 1) / (2 * n)


def evaluated(run: Run, evaluator: Evaluator, split: Split[Any], point: Path) -> dict[str, Any]:
    """A point of the curve."""
    model = at(point)
    made = inputs.of_model(model, split.train, split.test, evaluator.n, evaluator.seed, cache_dir(), silent)
    result = evaluator(made, ["modes", "fid"])
    line: dict[str, Any] = {"step": model.tick.step, "images": model.tick.images}
    line["seconds"] = round(seconds(run, model.tick.images), 1)
    for name in SCORES:
        score = result.score(name)
        line |= {name: score.value, f"{name} error": score.error, f"{name} reference": score.reference}
    return line | {"parameters": parameters(model), "protocol": protocol(result)}


def protocol(result: Evaluation) -> dict[str, Any]:
    kept = ("version", "features", "features_hash", "rule", "n_fake", "n_real", "data", "train", "seed", "versions")
    return {k: v for k, v in result.to_dict()["protocol"].items() if k in kept}


def evaluate(run: Run, data_dir: Path, n: int, results: Path) -> None:
    """Evaluate the checkpoints that are not yet in the run's file. It is written after each of them."""
    source = run.config().data.source
    if not isinstance(source, StackedMNIST):
        raise UsageError(f"{run.path} was trained on {source.name}", "name a run of stacked-mnist")
    file = results / f"{run.name}.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {"curve": []}
    if known["curve"] and known["protocol"]["n_fake"] != n:
        raise UsageError(f"{file} is of {known['protocol']['n_fake']:,} samples", "delete it to make it again")
    there = {line["step"] for line in known["curve"]}
    todo = [p for p in points(run) if checkpoint.step_of(p) not in there]
    if not todo:
        return
    split = find.read(source, reading(data_dir))
    evaluator = Evaluator(split.train, split.test, "digits-v1", n=n, cache_dir=cache_dir())
    for point in todo:
        line = evaluated(run, evaluator, split, point)
        dump = run.config().dump()
        facts = {k: dump[k] for k in ("preset", "data", "task", "optimizer", "optimizers", "batch_size", "seed", "ema")}
        known |= {"run": run.name, "config": facts, "trained": made_by(run)}
        known |= {k: line.pop(k) for k in ("parameters", "protocol")}
        known["curve"] = sorted([*known["curve"], line], key=lambda p: int(p["step"]))
        file.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
        kl = with_error(line["reverse-kl"], line["reverse-kl error"])
        print(f"{run.name}: {line['images']:,} images, {line['modes']:.0f} modes, KL {kl}", flush=True)


def kept(results: Path) -> list[dict[str, Any]]:
    """The runs that there are, most modes first."""
    runs = [json.loads(p.read_text()) for p in sorted(results.glob("*.json"))]
    if not runs:
        raise UsageError("no run yet", "train one first")
    if len({json.dumps({k: v for k, v in r["protocol"].items() if k != "versions"}) for r in runs}) > 1:
        raise UsageError(
            f"the runs of {results} were evaluated in unlike ways", "delete those that are of another kind"
        )
    return sorted(runs, key=lambda r: (-r["curve"][-1]["modes"], r["curve"][-1]["reverse-kl"]))


def plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Modes and KL against real images seen, a line for each run."""
    n = runs[0]["protocol"]["n_fake"]
    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for i, run in enumerate(runs):
        images = [p["images"] / 1e6 for p in run["curve"]]
        for axes, key in ((left, "modes"), (right, "reverse-kl")):
            color = COLORS[i % len(COLORS)]
            axes.plot(images, [p[key] for p in run["curve"]], color=color, linewidth=1.4, marker=".", label=run["run"])
    left.axhline(MODES, color="#6b7280", linewidth=1, linestyle=":")
    right.axhline(expected(n), color="#6b7280", linewidth=1, linestyle=":", label="a perfect sampler")
    right.set_yscale("log")
    right.yaxis.set_major_formatter("{x:g}")
    left.set_ylim(0, 1.05 * MODES)
    left.set_title(f"modes of 1,000, in {n:,} samples", fontsize=10)
    right.set_title("KL(samples || data), nats", fontsize=10)
    for axes in (left, right):
        axes.set_xlabel("million real images seen")
        axes.set_xlim(left=0)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    right.legend(frameon=False, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def table(runs: list[dict[str, Any]]) -> str:
    """The last checkpoint of each run, beside what papers report."""
    p, last = runs[0]["protocol"], runs[0]["curve"][-1]
    lines = [
        f"The last checkpoint of each run, {p['n_fake']:,} samples, features `{p['features']}`. Reference score: as many training "
        f"images have {last['modes reference']:.0f} modes and a KL of {last['reverse-kl reference']:.3f}; the expected KL of a "
        f"perfect sampler is {expected(p['n_fake']):.3f}.",
        "",
        "| run | parameters of G, D | images | minutes | modes | KL |",
        "|-|-|-|-|-|-|",
    ]
    for run in runs:
        end, size = run["curve"][-1], run["parameters"]
        nets = ", ".join(f"{size[net] / 1e6:.2f} M" for net in ("G", "D"))
        cells = [f"`{run['run']}`", nets, f"{end['images']:,}", f"{end['seconds'] / 60:.0f}", f"{end['modes']:.0f}"]
        lines.append(f"| {' | '.join(cells)} | {with_error(end['reverse-kl'], end['reverse-kl error'])} |")
    for name, paper, modes, kl in PUBLISHED:
        lines.append(
            f"| {name}, as reported in [{paper}](https://arxiv.org/abs/{paper}) | – | – | – | {modes} | {kl} |"
        )
    return "\n".join(lines)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data-dir", type=Path)
    p.add_argument("--place", type=Path, help="where the runs are kept")
    p.add_argument("--preset", help="train this recipe")
    p.add_argument("--set", action="append", default=[], dest="sets", metavar="A.B=V", help="change one of its options")
    p.add_argument("--name", help="of the run; not given: the preset's")
    p.add_argument("--run", help="evaluate this run, and train nothing")
    p.add_argument("--images", type=int, default=1_000_000, help="real images that are seen")
    p.add_argument("--every", type=int, default=100_000, help="images between checkpoints")
    p.add_argument("--n", type=int, default=26_000, help="samples that are evaluated")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--docs", type=Path, default=Path("docs"))
    p.add_argument("--plot", action="store_true")
    p.add_argument("--table", action="store_true")
    asked = p.parse_args()
    if (asked.preset or asked.run) and (asked.data_dir is None or asked.place is None):
        p.error("--data-dir and --place are needed to train and to evaluate")
    if not (asked.preset or asked.run or asked.plot or asked.table):
        p.error("nothing to do: --preset, --run, --plot or --table")
    precision.set_threads(asked.threads)
    try:
        work(asked)
    except GanError as error:
        raise SystemExit(str(error)) from None


def work(asked: argparse.Namespace) -> None:
    results = asked.docs / "results/stacked"
    results.mkdir(parents=True, exist_ok=True)
    if asked.run:
        evaluate(folder.find(asked.place, asked.run), asked.data_dir, asked.n, results)
    elif asked.preset:
        run = Run(asked.place / (asked.name or asked.preset))
        layers: list[Layer] = [
            {"preset": asked.preset, "data": {"source": "stacked-mnist"}},
            *map(parse_set, asked.sets),
        ]
        trained(run, layers, asked.data_dir, asked.images, asked.every, asked.threads)
        evaluate(run, asked.data_dir, asked.n, results)
    drawn = asked.docs / "images/stacked.png"
    if asked.plot:
        plot(kept(results), drawn)
    if asked.table:
        shown = "\n\n![modes and KL against real images seen](images/stacked.png)" if drawn.exists() else ""
        rewrite(asked.docs / "family.md", "stacked", table(kept(results)) + shown)


if __name__ == "__main__":
    main()
