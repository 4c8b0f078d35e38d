"""Do generated images help a classifier where a class is rare? All arms, ten seeds, on MNIST and on photographs.

    python benchmarks/augment.py mnist-20 --data-dir DATA --out OUT [--images 70000]
    python benchmarks/augment.py photographs --data-dir DATA --out OUT [--folds 5]
    python benchmarks/augment.py table --out OUT

DATA holds `MNIST/raw` and `cifar10-photos/CLASS/*.jpg` (500 of each class). mnist-N: the 8 has N training images and the other digits 500;
of each digit the next 100 (of the 8 at most N) are the validation set, all 10,000 test images the test set, and as many further
images of the 8 the ceiling. photographs: in each of five folds a fifth of the images is the test set, 40 of each class the validation
set, and the others the training set, of which one class (cats) keeps 50 and the rest of it is the ceiling. A generator is trained
on the training part of each fold. Runs and results are kept in OUT: the command again goes on with them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from gancli.data.idx import read_idx

DIGIT, EACH, CHOOSING = 8, 500, 100
RARE, KEPT, FOLDS, VALIDATION = "cat", 50, 5, 40
SMALL = ["widths=[8,16,32]", "steps=250"]  # of the classifier


def gan(*words: object) -> float:
    """Run a `gan` command. Returns its minutes; exits with its message if it fails."""
    begun = time.monotonic()
    command = [sys.executable, "-m", "gancli", *map(str, words)]
    if subprocess.run(command, check=False).returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return (time.monotonic() - begun) / 60


def put(folder: Path, images: Iterator[np.ndarray] | list[np.ndarray]) -> None:
    """Write images as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:05}.png")


def mnist(raw: Path, place: Path, n: int) -> None:
    """The folders of a split with N images of the rare digit, and those of further ones."""
    images, labels = read_idx(raw / "train-images-idx3-ubyte", 3), read_idx(raw / "train-labels-idx1-ubyte", 1)
    test, of_test = read_idx(raw / "t10k-images-idx3-ubyte", 3), read_idx(raw / "t10k-labels-idx1-ubyte", 1)
    for k in range(10):
        own = images[labels == k]
        put(place / "train" / str(k), list(own[: n if k == DIGIT else EACH]))
        put(place / "val" / str(k), list(own[EACH : EACH + (min(CHOOSING, n) if k == DIGIT else CHOOSING)]))
        put(place / "test" / str(k), list(test[of_test == k]))
        if k == DIGIT:
            put(place.with_name(f"{place.name}-more") / str(k), list(own[EACH + CHOOSING : 2 * EACH + CHOOSING - n]))


def photographs(root: Path, place: Path, fold: int) -> None:
    """The same for a fold of the photographs."""
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        images = [np.asarray(Image.open(file).convert("RGB")) for file in sorted(folder.iterdir())]
        test = images[fold::FOLDS]
        rest = [image for i, image in enumerate(images) if i % FOLDS != fold]
        train = rest[VALIDATION:]
        put(place / "test" / folder.name, test)
        put(place / "val" / folder.name, rest[:VALIDATION])
        put(place / "train" / folder.name, train[:KEPT] if folder.name == RARE else train)
        if folder.name == RARE and not fold:
            put(
                place.with_name("photographs-more") / folder.name, images
            )  # those of a part of a fold are left out there


def prepared(args: argparse.Namespace) -> list[Path]:
    """The folders of the data, one for each fold."""
    if args.what.startswith("mnist-"):
        places = [args.out / "data" / args.what]
        if not places[0].is_dir():
            mnist(args.data_dir / "MNIST" / "raw", places[0], int(args.what.partition("-")[2]))
        return places
    places = [args.out / "data" / f"photographs-{fold}" for fold in range(args.folds)]
    for fold, place in enumerate(places):
        if not place.is_dir():
            photographs(args.data_dir / "cifar10-photos", place, fold)
    return places


def table(out: Path) -> str:
    """All results in OUT as a Markdown table with a sentence below each."""
    lines: list[str] = []
    for file in sorted(path for path in out.glob("*.json") if not path.stem.endswith("-minutes")):
        found = json.loads(file.read_text())
        minutes = json.loads(file.with_name(f"{file.stem}-minutes.json").read_text())
        heads = [
            "balanced accuracy",
            "macro F1",
            *(f"{score} of {found['rare class']}" for score in ("recall", "precision")),
        ]
        lines += [f"### {file.stem}", "", f"| arm | {' | '.join(heads)} | calibration error |", "|-" * 6 + "|"]
        for arm in found["arms"].values():
            scores = [arm["scores"][name] for name in ("balanced-accuracy", "macro-f1", "recall", "precision")]
            cells = [f"{100 * score['value']:.2f} ± {100 * score['half']:.2f}" for score in scores]
            lines.append(
                f"| {arm['title']} | {' | '.join(cells)} | {100 * arm['scores']['calibration-error']['value']:.2f} |"
            )
        verdict, top = found["verdict"], found["verdict"]["ceiling"]
        lines += ["", verdict["sentence"]]
        if top is not None:
            lines.append(
                f"As many more real images: {100 * top['value']:+.2f} ± {100 * top['half']:.2f} points over the same arm."
            )
        for name, of in found["new images"].items():
            dropped = ", ".join(f"{of[why]:,} {why}" for why in ("other class", "copies", "low rank"))
            worth = "" if of["effective"] is None else f"; worth {of['effective']:.0f} further real images"
            lines.append(
                f"Class {name}: {of['real']:,} real images, {of['kept']:,} new of {of['candidates']:,} samples ({dropped}){worth}."
            )
        lines += ["", "Minutes: " + ", ".join(f"{what} {value:.1f}" for what, value in minutes.items()) + ".", ""]
    return "\n".join(lines)


def main() -> None:
    """Train, study, and copy the results to OUT."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", help="mnist-20, mnist-50, ..., or photographs; table: print what is in OUT")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=70_000, help="training images of the generator")
    parser.add_argument("--folds", type=int, default=FOLDS, help="of the photographs, at most 5")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    if args.what == "table":
        print(table(args.out))
        return
    runs, places = args.out / "runs", prepared(args)
    minutes: dict[str, float] = {}
    for place in places:
        if not (runs / place.name / "config.json").is_file():
            minutes[f"training {place.name}"] = gan(
                "train", "--data", place, "--preset", "augment", "--images", args.images, "--name", place.name, "--runs-dir", runs,
                "--threads", args.threads, "--quiet",
            )  # fmt: skip
    more = places[0].with_name(f"{args.what}-more")
    small = [word for key in SMALL for part in ("classifier", "observer") for word in ("--set", f"{part}.{key}")]
    minutes["study"] = gan(
        "augment", *(runs / place.name for place in places), "--study", "--seeds", args.seeds, *small, "--threads", args.threads,
"--more-real", more,
    )  # fmt: skip
    study = runs / places[0].name / "study"
    for suffix in ("json", "png"):
        (args.out / f"{args.what}.{suffix}").write_bytes((study / f"study.{suffix}").read_bytes())
    (args.out / f"{args.what}-minutes.json").write_text(json.dumps(minutes, indent=2) + "\n")


if __name__ == "__main__":
    main()
