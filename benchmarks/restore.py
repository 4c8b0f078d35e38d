"""Train a named restoration, score it beside the classical baselines, and draw input | classical | faithful | realistic | truth.

    python benchmarks/restore.py denoise-25 --data-dir DATA --out OUT [--device cuda] [--images 400000]

DATA holds `cifar10-photos/CLASS/*.jpg` (500 of each class) and `MNIST/raw`. Of each class of the photographs the first 430 are the training
set, the next 20 the validation set, the last 50 the test set: 500 test images, uint8, RGB, mean of per-image PSNR. OUT gets one row of
the table, `NAME.md`, the scores of both ends, `NAME.json`, and the images, `NAME.png`. The run is kept in OUT/runs: the command again
goes on with it. This file is also the plug-in that reads the photographs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from gancli.core.data import Reading, Source, Split
from gancli.data.images import ImageDataset

RESTORATIONS = {  # preset, degradations, data, the score and what to surpass: the best classical value measured by others
    "denoise-25": ("denoise", "gauss:25", "photographs", "psnr", 27.97),
    "denoise-50": ("denoise", "gauss:50", "photographs", "psnr", 23.52),
    "brush": ("inpaint", "hole:brush", "photographs", "psnr-hole", 20.92),
    "half": ("inpaint", "hole:half", "photographs", "psnr-hole", 25.85),
    "center": ("inpaint", "hole:center", "photographs", "psnr-hole", 16.18),
    "down-2": ("upscale", "down:2", "photographs", "psnr", 26.68),
    "down-4": ("upscale", "down:4", "photographs", "psnr", 21.45),
    "jpeg-10": ("dejpeg", "jpeg:10", "photographs", "psnr", 24.23),
    "mnist-100": ("denoise", "gauss:100", "mnist", "psnr", 15.63),
    "scratch": ("restore", "scratch:4", "photographs", "psnr", 0.0),
    "color": ("colorize", "gray", "photographs", "psnr", 26.37),
}
COLUMNS = (
    "name", "degradation", "score", "best classical", "faithful", "gain", "SSIM", "realistic",
    "KID x 1000 faithful / realistic / best classical", "minutes",
)  # fmt: skip
SHOWN, ZOOM, GAP = 8, 3, 4
CURVE = (0.0, 0.25, 0.5, 0.75, 1.0)  # of --realism


class Photographs(Source):
    """The CIFAR photographs of a folder, split by their numbers."""

    name = "photographs"
    root: str = ""

    def read(self, how: Reading) -> Split[ImageDataset]:  # noqa: ARG002
        classes = sorted(p.name for p in Path(self.root).iterdir() if p.is_dir())
        files = [sorted((Path(self.root) / name).iterdir()) for name in classes]

        def some(first: int, last: int) -> ImageDataset:
            chosen = [(label, file) for label, of in enumerate(files) for file in of[first:last]]
            images = [np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1) for _, file in chosen]
            return ImageDataset(np.stack(images), np.array([label for label, _ in chosen]), classes=tuple(classes))

        return Split(some(0, 430), some(450, 500), some(430, 450))


def gan(*words: object) -> str:
    """The output of a `gan` command. Exits with its message if it fails."""
    command = [sys.executable, "-m", "gancli", *map(str, words)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if said.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return said.stdout


def train(args: argparse.Namespace, plugin: list[object], name: str) -> Path:
    """Train the run, or go on with it. Returns its folder."""
    preset, chain, data, _, _ = RESTORATIONS[name]
    run: Path = args.out / "runs" / name
    machine = [
        *(["--device", args.device] if args.device else []),
        *(["--threads", args.threads] if args.threads else []),
    ]
    if (run / "model" / "config.json").is_file():
        return run
    if (run / "config.json").is_file():
        gan("resume", run, *plugin, *machine, "--quiet")
        return run
    where = [] if data == "mnist" else ["--set", f"data.source.root={(args.data_dir / 'cifar10-photos').resolve()}"]
    more = [word for item in args.set or [] for word in ("--set", item)]
    if data == "mnist":
        more = ["--set", "data.flip=false", *more]
    batch = ["--batch-size", args.batch_size] if args.batch_size else []
    length = ["--max-minutes", args.minutes] if args.minutes else ["--images", args.images]
    gan(
        "train", "--data", data, "--data-dir", args.data_dir, *where, "--preset", preset, "--degrade", chain, *length,
        "--name", name, "--runs-dir", args.out / "runs", *plugin, *machine, *batch, *more, "--quiet",
    )  # fmt: skip
    return run


def scores(args: argparse.Namespace, run: Path, plugin: list[object], data: str, realism: float) -> dict[str, Any]:
    """The evaluation of one end of the run."""
    n = 1000 if data == "mnist" else 500
    metrics = "psnr,ssim,l1,gmsd,kid"
    device = ["--device", args.device] if args.device else []
    words = [
        "-n",
        n,
        "--metrics",
        metrics,
        "--realism",
        realism,
        *plugin,
        *device,
        "--data-dir",
        args.data_dir,
        "--json",
    ]
    found: dict[str, Any] = json.loads(gan("evaluate", run, *words, "--out", args.out / f"{run.name}-{realism:g}"))
    return found["scores"]  # type: ignore[no-any-return]


def picture(args: argparse.Namespace, run: Path, data: str, best: str, file: Path) -> None:
    """Rows of input, best baseline, both ends and truth."""
    import gancli
    from gancli.core.registry import build
    from gancli.core.task import converted
    from gancli.data.mnist import MNIST
    from gancli.tasks.restore import FromDegraded

    source = MNIST() if data == "mnist" else Photographs(root=str(args.data_dir / "cifar10-photos"))
    model = gancli.load(run)
    split = converted(source.read(Reading(args.data_dir, args.out / "cache")), model.task)
    step = max(1, len(split.test) // SHOWN)
    test = split.test.take(np.arange(SHOWN) * step).samples()
    part: Any = build("baseline", best)
    classical = part.fit(split.train.take(slice(0, part.fits)).samples())(
        test.inputs, test.masks, test.images.shape[2:]
    )
    ends = [
        model.generate(FromDegraded(images=test.inputs, masks=test.masks, realism=r)).images  # type: ignore[attr-defined]
        for r in (0.0, 1.0)
    ]
    side = test.images.shape[2] // test.inputs.shape[2]
    given = test.inputs.repeat(side, 2).repeat(side, 3)
    columns = [
        np.concatenate(list(x.repeat(ZOOM, 2).repeat(ZOOM, 3)), 2) for x in (given, classical, *ends, test.images)
    ]
    gap = np.full((columns[0].shape[0], GAP, columns[0].shape[2]), 255, np.uint8)
    rows = [columns[0], *(part for column in columns[1:] for part in (gap, column))]
    whole = np.concatenate(rows, 1)
    Image.fromarray(whole[0] if len(whole) == 1 else whole.transpose(1, 2, 0)).save(file)


def value(score: dict[str, Any], digits: int = 2) -> str:
    return f"{score['value']:.{digits}f} ± {1.96 * (score['error'] or 0):.{digits}f}"


def row(name: str, both: list[dict[str, Any]], key: str, minutes: float) -> str:
    """One row of the table; intervals are 95 %."""
    faithful, realistic = (one[f"{key}@pixels"] for one in both)
    ssim = next(s for k, s in both[0].items() if k.startswith("ssim@"))
    kids = [next(s for k, s in one.items() if k.startswith("kid@")) for one in both]
    best = faithful["best_baseline"]
    least = min(kids[0]["baselines"], key=lambda k: kids[0]["baselines"][k])
    cells = [
        name, RESTORATIONS[name][1], key, f"{best} {faithful['baselines'][best]:.2f}", value(faithful),
        f"{faithful['gain']:+.2f} ± {1.96 * faithful['gain_error']:.2f}", value(ssim, 3), value(realistic),
        f"{1000 * kids[0]['value']:.2f} / {1000 * kids[1]['value']:.2f} / {least} {1000 * kids[0]['baselines'][least]:.2f}",
        f"{minutes:.0f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def curve(found: dict[float, dict[str, Any]], key: str) -> str:
    """A table: the scores at each value of --realism, with those of the baseline that is best by KID."""
    lines = [f"| realism | {key.upper()} | SSIM | KID x 1000 |", "|-|-|-|-|"]
    for realism, all_scores in found.items():
        by = {k.partition("@")[0]: score for k, score in all_scores.items()}
        kid = f"{1000 * by['kid']['value']:.0f} ± {1960 * (by['kid']['error'] or 0):.0f}"
        lines.append(f"| {realism:g} | {value(by[key])} | {value(by['ssim'], 3)} | {kid} |")
    by = {k.partition("@")[0]: score["baselines"] for k, score in found[0.0].items()}
    least = min(by["kid"], key=lambda name: by["kid"][name])
    cells = [f"{by[key][least]:.2f}", f"{by['ssim'][least]:.3f}", f"{1000 * by['kid'][least]:.0f}"]
    return "\n".join([*lines, f"| {least} | {' | '.join(cells)} |"])


def baselines(args: argparse.Namespace, name: str) -> None:
    """Print the scores of the baselines alone."""
    from gancli.data.degraded import DegradedDataset
    from gancli.data.mnist import MNIST
    from gancli.degradations.chain import parse
    from gancli.evaluation.compared import Baselines
    from gancli.evaluation.metrics.l1 import L1
    from gancli.evaluation.metrics.psnr import PSNR
    from gancli.evaluation.metrics.ssim import SSIM
    from gancli.evaluation.sets import StoredSet

    _, chain, data, _, _ = RESTORATIONS[name]
    source = MNIST() if data == "mnist" else Photographs(root=str(args.data_dir / "cifar10-photos"))
    split = source.read(Reading(args.data_dir, args.out / "cache"))
    train, test = (
        DegradedDataset(part, parse(chain), fixed=True) for part in (split.train, split.test.take(slice(0, 1000)))
    )
    real: StoredSet[Any] = StoredSet("test set", test.samples(), lambda _: None, folder=args.out)  # type: ignore[arg-type,return-value]
    found = Baselines(train, real, 0, args.out / "cache", lambda *_: None, lambda _, made: made)  # type: ignore[arg-type,return-value]
    samples = real.samples
    for part, made in zip(found.fitted.values(), found.inputs(len(test)).values(), strict=True):
        images: np.ndarray = made.images  # type: ignore[attr-defined]
        cells = [
            name,
            chain,
            part.name,
            str(part.model_dump().get("strength", "")),
        ]
        cells += [
            f"{metric.compared(images, samples.images, None).mean():.{n}f}" for metric, n in ((PSNR(), 2), (SSIM(), 3))
        ]
        if samples.masks is not None:
            cells += [
                f"{np.nanmean(m.compared(images, samples.images, samples.masks)):.{n}f}"
                for m, n in ((PSNR(), 2), (L1(), 1))
            ]
        print("| " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=RESTORATIONS)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=400_000, help="training images drawn")
    parser.add_argument("--minutes", type=float, help="fit the training to these minutes, instead of --images")
    parser.add_argument("--device")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--set", action="append", metavar="KEY=VALUE", help="any configuration key")
    parser.add_argument("--curve", action="store_true", help="score several values of --realism, too: NAME-curve.md")
    parser.add_argument("--baselines", action="store_true", help="score the baselines alone; nothing is trained")
    args = parser.parse_args()
    args.data_dir = args.data_dir.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.baselines:
        for name in args.names:
            baselines(args, name)
        return
    print(f"| {' | '.join(COLUMNS)} |\n|{'-|' * len(COLUMNS)}", flush=True)
    for name in args.names:
        _, _, data, key, _ = RESTORATIONS[name]
        plugin: list[object] = [] if data == "mnist" else ["--plugin", Path(__file__).resolve()]
        run = train(args, plugin, name)
        seconds = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1]).get("seconds", 0)
        both = [scores(args, run, plugin, data, realism) for realism in (0.0, 1.0)]
        (args.out / f"{name}.json").write_text(json.dumps({"faithful": both[0], "realistic": both[1]}, indent=1))
        line = row(name, both, key, seconds / 60)
        (args.out / f"{name}.md").write_text(line + "\n")
        picture(args, run, data, both[0][f"{key}@pixels"]["best_baseline"], args.out / f"{name}.png")
        print(line, flush=True)
        if args.curve:
            between = {r: scores(args, run, plugin, data, r) for r in CURVE[1:-1]}
            text = curve({0.0: both[0], **between, 1.0: both[1]}, key)
            (args.out / f"{name}-curve.md").write_text(text + "\n")
            print(text, flush=True)


if __name__ == "__main__":
    main()
