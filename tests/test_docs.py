"""Every command in the README and the docs runs, in the order in which it stands there, on small data."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from gancli.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
BRIEF = {
    "GAN_TRAIN_MAX_STEPS": "4",
    "GAN_TRAIN_BATCH_SIZE": "16",
    "GAN_RESUME_MAX_STEPS": "6",
    "GAN_EVALUATE_N": "60",
    "GAN_EVALUATE_METRICS": "fid,prc",
    "GAN_TRAIN_DOWNLOAD": "0",
    "GAN_DATA_DOWNLOAD": "0",
    "GAN_AUGMENT_SEEDS": "2",
    "GAN_AUGMENT_AGREEMENT": "0",
    "GAN_AUGMENT_OPTIONS": "observer.steps=2 observer.widths=[4] classifier.steps=2 choosing_seeds=1 ratios=[1.0]",
}


def idx(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = b"".join(n.to_bytes(4, "big") for n in array.shape)
    path.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages speak of: a small MNIST, a folder of photos, a photo with a mask."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    big = np.kron(digits.images, np.ones((3, 3)))[:, :, :] * 15
    big = np.pad(big, ((0, 0), (2, 2), (2, 2)))
    raw = tmp_path / "data_dir" / "MNIST" / "raw"
    for name, part in (("train", slice(0, 1400)), ("t10k", slice(1400, None))):
        idx(raw / f"{name}-images-idx3-ubyte", big[part])
        idx(raw / f"{name}-labels-idx1-ubyte", digits.target[part])
    for kind in ("cats", "dogs"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for i in range(30 if kind == "cats" else 24):
            noise = np.random.Generator(np.random.PCG64(i + 100 * (kind == "dogs"))).integers(
                0, 256, (40, 40, 3), np.uint8
            )
            Image.fromarray(noise).save(tmp_path / "photos" / kind / f"{i}.png")
    shutil.copytree(tmp_path / "photos", tmp_path / "more-photos")
    Image.fromarray(noise).save(tmp_path / "photo.png")
    Image.fromarray((noise[:, :, 0] > 200).astype(np.uint8) * 255).save(tmp_path / "mask.png")
    _maps(tmp_path)
    letters = np.random.Generator(np.random.PCG64(0)).integers(0, 6, (300, 8))
    (tmp_path / "lines.txt").write_text("".join(bytes(97 + row).decode() + "\n" for row in letters.astype(np.uint8)))
    for name, value in BRIEF.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GAN_RUNS_DIR")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _maps(desk: Path) -> None:
    """Pairs of pictures, two domains without pairs, pictures that hold A and B side by side, and one to translate."""
    for i in range(40):
        a = np.random.Generator(np.random.PCG64(i)).integers(0, 256, (32, 32, 3), np.uint8)
        both = {
            "maps/trainA": a,
            "maps/trainB": 255 - a,
            "horses/trainA": a,
            "facades": np.concatenate([a, 255 - a], 1),
        }
        for folder, image in both.items():
            (desk / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(desk / folder / f"{i}.png")
        (desk / "horses/trainB").mkdir(exist_ok=True)
        Image.fromarray(255 - a).save(desk / "horses/trainB" / f"zebra{i}.png")
    (desk / "pictures").mkdir()
    for path in (desk / "photo.jpg", desk / "pictures" / "one.png"):
        Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(path)


def commands(page: Path) -> list[tuple[str, str]]:
    """(kind, text) in order: gan commands, Python to run, Python files to write."""
    out = []
    for language, body in BLOCK.findall(page.read_text()):
        if language == "sh":
            lines = body.replace("\\\n", " ").splitlines()
            out += [("gan", line) for line in lines if line.startswith("gan ")]
        elif language == "python":
            out.append(("file" if body.startswith("# ") else "python", body))
    return out


@pytest.mark.timeout(900)  # README trains a dozen small models
@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_commands_run(page: Path, desk: Path) -> None:
    todo = commands(page)
    if any("digits-textbook-0001" in t for _, t in todo) and not todo[0][1].startswith("gan train"):
        run_words("gan train --data digits --name digits-textbook-0001")
    for kind, text in todo:
        if kind == "file":
            (desk / text.split("\n", 1)[0].removeprefix("# ").strip()).write_text(text)
        elif kind == "python":
            assert_runs(text, partial(exec, compile(text, page.name, "exec"), {"__name__": "__main__"}))
        else:
            run_words(text)


def run_words(text: str) -> None:
    def command() -> None:
        sys.argv = shlex.split(text, comments=True)
        if "--classifier" in sys.argv:  # another one has no steps
            os.environ["GAN_AUGMENT_OPTIONS"] = BRIEF["GAN_AUGMENT_OPTIONS"].replace("classifier.steps=2 ", "")
        main()

    assert_runs(text, command)


def assert_runs(text: str, work: Callable[[], None]) -> None:
    """Run it in a forked process, which need not import torch again."""
    with tempfile.TemporaryFile("w+") as said:
        number = os.fork()
        if number == 0:
            _be(work, said.fileno())
        code = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
        said.seek(0)
        assert code == 0, f"{text}\n{said.read()[-4000:]}"


def _be(work: Callable[[], None], output: int) -> NoReturn:
    code: object = 1
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, number in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, number)
        sys.stdin, sys.stdout, sys.stderr = (open(i, m) for i, m in ((0, "r"), (1, "w"), (2, "w")))  # noqa: PTH123, SIM115
        warnings.simplefilter("default")
        work()
        code = 0
    except SystemExit as exit_:
        code = exit_.code
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_no_page_speaks_of_the_machine_it_was_made_on() -> None:
    for page in PAGES:
        text = page.read_text()
        assert os.sep + "work" + os.sep not in text
        assert "/root/" not in text
