"""The family on one scale: every preset trained on MNIST with as many real images, evaluated in the same way.

    python benchmarks/presets.py --data-dir DATA --place RUNS [--images 200000] [--only dcgan,wgan] [--threads 1] [--n 10000]
    python benchmarks/presets.py --table       rewrite the table of docs/family.md from the rows that there are

Presets with several steps of the critic draw images for each of them, and all are counted. Ten checkpoints are kept of each run, and
each is given the final FID, by the same number of samples: the minutes to a score are those at the first checkpoint that has it.
Resumable: a run that is there is gone on with, and a row that is there is not made again.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from runs import at, made_by, parameters, points, reading, rewrite, seconds, speed, trained, with_error

from gancli.core.config import Layer
from gancli.core.data import Split
from gancli.core.errors import DivergedError, GanError, UsageError
from gancli.core.images import ImageSamples, grid, png, to_uint8
from gancli.core.registry import build
from gancli.data import find
from gancli.evaluation import inputs
from gancli.evaluation.contracts import silent
from gancli.evaluation.evaluator import Evaluator, quick
from gancli.evaluation.generated import Generated
from gancli.evaluation.results import Evaluation, compare
from gancli.inference.generator import Model
from gancli.report.catalog import preset_lines
from gancli.runs.folder import Run
from gancli.training import precision
from gancli.training.prepare import cache_dir

ORDER = (
    "textbook", "pacgan", "best-cpu", "wgan", "lsgan", "dcgan", "infogan", "cgan", "acgan", "attributes", "dragan",
    "wgan-gp", "stylegan2", "r3gan", "progressive", "sngan", "projection", "msg", "sagan", "biggan",
)  # fmt: skip
METRICS = ("fid", "prc", "density-coverage", "class-histogram")
SHARES = ("precision", "recall", "density", "coverage")
EPOCH = 60_000
CLASSES = 10


def ordered() -> list[str]:
    """All presets, those that train fastest first; one that is not known here is last."""
    return sorted(preset_lines(), key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))


@dataclass(frozen=True)
class Data:
    """MNIST, and MNIST with measured attributes, each with its evaluator."""

    plain: Evaluator
    measured: Evaluator
    split: Split[Any]  # the second's

    def samples(self, model: Model) -> Generated:
        """Samples of a model, held in memory, with the labels and attributes that were asked for."""
        train, test = self.split.train, self.split.test
        made = inputs.of_model(model, train, test, self.plain.n, self.plain.seed, cache_dir(), silent)
        return Generated(ImageSamples.concat(list(made.samples)), made.description)  # type: ignore[arg-type]


def without_attributes(made: Generated) -> Generated:
    assert isinstance(made.samples, ImageSamples)
    return replace(made, samples=replace(made.samples, attributes=None))


def curve(run: Run, data: Data, last: Evaluation) -> list[dict[str, Any]]:
    """FID at each checkpoint; the last one is evaluated already."""
    out: list[dict[str, Any]] = []
    *early, _ = points(run)
    for point in early:
        model = at(point)
        score = quick(data.plain, without_attributes(data.samples(model)), ["fid"]).score("fid")
        out.append({"images": model.tick.images, "fid": score.value, "error": score.error})
    end = last.score("fid")
    out.append({"images": last.protocol["fakes"]["images_seen"], "fid": end.value, "error": end.error})
    return [{**line, "seconds": round(seconds(run, line["images"]), 1)} for line in out]


def minutes_to(score: float, line: list[dict[str, Any]]) -> float | None:
    """Minutes of training at the first checkpoint with that FID; None if there is none."""
    return next((p["seconds"] / 60 for p in line if p["fid"] <= score), None)


def strip(model: Model) -> bytes:
    """Ten samples in a row, seeds 0 to 9; where labels or categories say what is drawn, one of each."""
    labels = list(range(CLASSES)) if model.conditional else None
    images = to_uint8(model.sample(CLASSES, seed=0, labels=labels))
    return png(
        grid(images, CLASSES, zoom=1), {"step": model.tick.step, "seeds": "0-9", "labels": labels, **model.facts}
    )


def row(preset: str, run: Run, data: Data, score: float, budget: int) -> tuple[dict[str, Any], bytes]:
    """What is known of a trained run, and its strip."""
    model = at(points(run)[-1])
    made = data.samples(model)
    metrics = [*METRICS, *(["label-agreement"] if made.labels is not None else [])]
    result = data.plain(without_attributes(made), metrics)
    if made.attributes is not None:
        agreement = data.measured(made, ["attribute-agreement"])
        result = replace(result, scores={**result.scores, **agreement.scores})
    line = curve(run, data, result)
    kept = ("task", "optimizer", "optimizers", "batch_size", "seed", "ema")
    table = {
        "preset": preset,
        "config": {k: v for k, v in run.config().dump().items() if k in kept},
        "budget": budget,
        "images": model.tick.images,
        "steps": model.tick.step,
        "parameters": parameters(model),
        "images_per_s": round(speed(run), 1),
        "seconds": line[-1]["seconds"],
        "score": score,
        "minutes_to_score": minutes_to(score, line),
        "curve": line,
        "trained": made_by(run),
        "evaluation": {k: v for k, v in result.to_dict().items() if k in ("scores", "protocol")},
    }
    return table, strip(model)


def work(asked: argparse.Namespace, presets: list[str]) -> None:
    results, pictures = asked.docs / "results/presets", asked.docs / "images/presets"
    for folder in (results, pictures):
        folder.mkdir(parents=True, exist_ok=True)
    _, split = inputs.data("mnist", reading(asked.data_dir))
    known = find.read(build("data", {"name": "mnist", "attributes": True}), reading(asked.data_dir))  # type: ignore[arg-type]
    plain, measured = (
        Evaluator(of.train, of.test, "digits-v1", n=asked.n, cache_dir=cache_dir()) for of in (split, known)
    )
    data = Data(plain, measured, known)
    for preset in presets:
        file, run = results / f"{preset}.json", Run(asked.place / preset)
        if file.exists():
            there = json.loads(file.read_text())
            if (there["budget"], there["evaluation"]["protocol"]["n_fake"]) != (asked.images, asked.n):
                raise UsageError(f"{file} is of other --images or --n", "delete it to make it again")
            continue
        source = {"name": "mnist", "attributes": preset == "attributes"}
        layers: list[Layer] = [{"preset": preset, "data": {"source": source}}]
        try:
            trained(run, layers, asked.data_dir, asked.images, max(1, asked.images // asked.points), asked.threads)
        except DivergedError as error:
            print(f"{preset}: {error}", flush=True)
            continue
        table, picture = row(preset, run, data, asked.score, asked.images)
        (pictures / f"{preset}.png").write_bytes(picture)
        file.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
        fid = table["curve"][-1]
        print(
            f"{preset}: fid {with_error(fid['fid'], fid['error'])}, {table['images_per_s']:,.0f} images/s", flush=True
        )


def papers(preset: str) -> str:
    found = re.findall(r"\d{4}\.\d{4,5}", preset_lines()[preset]["about"])
    return ", ".join(f"[{paper}](https://arxiv.org/abs/{paper})" for paper in found)


def table(docs: Path, score: float) -> str:
    """The rows that there are, best FID first. Raises UsageError if they do not compare."""
    rows = [json.loads(p.read_text()) for p in (docs / "results/presets").glob("*.json")]
    if not rows:
        raise UsageError("no row yet", "train first")
    evaluated = {r["preset"]: Evaluation.from_json(json.dumps(r["evaluation"])) for r in rows}
    compare(evaluated)
    alike = {(r["budget"], r["trained"]["device"], r["trained"]["threads"]) for r in rows}
    if len(alike) > 1:
        raise UsageError(
            f"rows of unlike budgets or machines do not stand in one table: {sorted(alike)}", "make them alike"
        )
    rows.sort(key=lambda r: evaluated[r["preset"]].score("fid").value)
    lines = [
        caption(rows[0], evaluated[rows[0]["preset"]]),
        "",
        f"| preset | paper | FID | P | R | D | C | images/s | minutes to FID {score:g} | ten samples |",
        "|-|-|-|-|-|-|-|-|-|-|",
    ]
    for r in rows:
        name, result = r["preset"], evaluated[r["preset"]]
        took = minutes_to(score, r["curve"])
        cells = [
            f"`{name}`", papers(name), with_error(result.score("fid").value, result.score("fid").error),
            *(f"{result.score(k).value:.2f}" for k in SHARES), f"{r['images_per_s']:,.0f}",
            "–" if took is None else f"{took:.1f}", f"![samples of {name}](images/presets/{name}.png)",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    missing = ", ".join(f"`{name}`" for name in ordered() if name not in evaluated)
    return "\n".join([*lines, *(["", f"Not made yet: {missing}."] if missing else []), *of_conditions(evaluated)])


def caption(row: dict[str, Any], result: Evaluation) -> str:
    """What all rows have in common, and what real images get."""
    p, threads = result.protocol, row["trained"]["threads"]
    references = ", ".join(f"{result.score(k).reference:.2f}" for k in SHARES)
    return (
        f"{row['budget']:,} training images each (to a batch), {p['n_fake']:,} samples against {p['n_real']:,} test images, features "
        f"`{p['features']}`, {row['trained']['device']}, {threads} thread{'s' * (threads != 1)}. Reference scores (real vs. real): FID "
        f"{result.score('fid').reference:.4f}; P, R, D, C {references}. ± is one standard error over the samples."
    )


def of_conditions(evaluated: dict[str, Evaluation]) -> list[str]:
    """How well conditional models follow the labels or attributes."""
    lines = []
    for metric, what in {"label-agreement": "label", "attribute-agreement": "attribute"}.items():
        for name, e in evaluated.items():
            if any(k.startswith(f"{metric}@") for k in e.scores):
                found = e.score(metric)
                parts = ", ".join(f"{k} {v:.3f}" for k, v in found.detail.items()) if metric.startswith("attr") else ""
                cells = [f"`{name}`", what, with_error(found.value, found.error), f"{found.reference:.3f}", parts]
                lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return []
    text = (
        "Conditional presets: the share of samples that the classifier of `digits-v1` assigns to the requested digit, or the lowest "
        "correlation between a requested attribute and the attribute measured in the sample."
    )
    return ["", text, "", "| preset | condition | agreement | reference | by attribute |", "|-|-|-|-|-|", *lines]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data-dir", type=Path)
    p.add_argument("--place", type=Path, help="where the runs are kept")
    p.add_argument("--images", type=int, default=200_000, help="real images that each preset sees")
    p.add_argument("--only", default="", help="presets, with commas")
    p.add_argument("--points", type=int, default=10, help="checkpoints that are evaluated of each run")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--n", type=int, default=10_000, help="samples that are evaluated")
    p.add_argument("--score", type=float, default=0.317, help="the FID to be timed: the textbook run's after 50 epochs")
    p.add_argument("--docs", type=Path, default=Path("docs"))
    p.add_argument("--table", action="store_true", help="only rewrite the table")
    asked = p.parse_args()
    chosen = [name for name in asked.only.split(",") if name] or ordered()
    unknown = set(chosen) - set(ordered())
    if unknown:
        p.error(f"no preset {', '.join(sorted(unknown))}; there are {', '.join(ordered())}")
    if not asked.table and (asked.data_dir is None or asked.place is None):
        p.error("--data-dir and --place are needed to train")
    precision.set_threads(asked.threads)
    try:
        if asked.table:
            rewrite(asked.docs / "family.md", "table", table(asked.docs, asked.score))
        else:
            work(asked, chosen)
    except GanError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
