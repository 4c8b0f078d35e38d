"""The page of `gan export --to html`, opened from the disk in a browser without a network: the pictures of `gan sample`."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.images import png, to_uint8
from gancli.export.formats.html import PAGE, RUNTIME_VERSION
from gancli.export.writing import export, format_of
from tests.conftest import Gan

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")


def as_array(image: dict[str, Any]) -> np.ndarray:
    return np.array(image["pixels"], np.uint8).reshape(image["channels"], image["height"], image["width"])


ASK = "return gan.{}.then((image) => ({{...image, pixels: [...image.pixels]}}))"


def sampled(gan: Gan, run: Path, seed: int, out: Path, *words: str) -> np.ndarray:
    assert gan("sample", run, "--seed", str(seed), "--n", "1", *words, "--out", out).code == 0
    images = next(v for v in np.load(out).values() if v.ndim == 4)
    return np.asarray(images[0].transpose(2, 0, 1))


def test_seed_7_is_seed_7(gan: Gan, run: Path, tmp_path: Path, browser: Any) -> None:
    page = tmp_path / "it.html"
    said = gan("export", run, "--to", "html", "--out", page)
    assert said.code == 0, said.err
    assert page.stat().st_size < 20e6
    browser.open(page)
    for seed in (7, 2**53 + 1):
        found = as_array(browser.call(ASK.format(f"sample({seed}n)")))
        np.testing.assert_array_equal(found, sampled(gan, run, seed, tmp_path / "x.npz"))
    assert browser.requests() == [page.as_uri()]


def test_with_noise_or_classes_and_codes(gan: Gan, tmp_path: Path, browser: Any) -> None:
    style = ["task.model.z=16", "task.model.w=16", "task.model.width=4", "task.model.widest=8", "task.model.mapping=2"]
    codes = ["task.model.g_width=4", "task.condition.continuous=3"]
    for preset, options in (("stylegan2", style), ("infogan", codes)):
        sets = [word for option in options for word in ("--set", option)]
        words = ["--max-steps", "2", "--batch-size", "16", "--name", preset, *sets]
        assert gan("train", "--data", "digits", "--preset", preset, *words).code == 0
        run, page = tmp_path / "runs_dir" / preset, tmp_path / f"{preset}.html"
        assert gan("export", run, "--to", "html", "--out", page).code == 0
        browser.open(page)
        found = as_array(browser.call(ASK.format("sample(19)")))
        np.testing.assert_array_equal(found, sampled(gan, run, 19, tmp_path / "x.npz", *label(preset)))


def label(preset: str) -> list[str]:
    """The class of seed 19 in a grid: 8 seeds of each."""
    return ["--label", "2"] if preset == "infogan" else []


def test_what_a_person_sees(gan: Gan, tmp_path: Path, browser: Any) -> None:
    assert gan("train", "--data", "digits", "--preset", "cgan", "--max-steps", "2", "--name", "it").code == 0
    assert gan("export", tmp_path / "runs_dir/it", "--to", "html", "--out", tmp_path / "it.html").code == 0
    browser.open(tmp_path / "it.html")
    waited = """
        const set = (id, value) => { const e = document.getElementById(id); e.value = value; return e; };
        set("seed", "5"); set("count", "3"); set("class", "4").dispatchEvent(new Event("change"));
        return new Promise((done) => setTimeout(() => done([
          document.getElementById("said").textContent,
          [...document.querySelectorAll("#samples canvas")].map((c) => c.getAttribute("aria-label")),
          [...document.querySelectorAll("label")].every((l) => l.control && l.textContent.trim())]), 1500));
    """
    text, names, labelled = browser.call(waited)
    assert text.startswith("Seeds 5 to 7.")
    assert names == ["seed 5", "seed 6", "seed 7"]
    assert labelled


def test_a_picture_is_translated_in_the_page(tmp_path: Path, browser: Any) -> None:
    from tests.export.test_export_mapping import TwoDomains

    source = TwoDomains(tmp_path)
    export(format_of("html"), source, tmp_path / "it.html")
    image = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (3, 24, 40), np.uint8)
    (tmp_path / "in.png").write_bytes(png(image))
    browser.open(tmp_path / "it.html")
    browser.driver.find_element("id", "file").send_keys(str(tmp_path / "in.png"))
    found = as_array(browser.call(ASK.format(
        "pixelsOf(document.getElementById('file').files[0]).then((p) => gan.apply(p))"
    )))  # fmt: skip
    with torch.no_grad():
        expected = source.exportable.module(torch.from_numpy(image)[None].float() / 127.5 - 1)
    np.testing.assert_array_equal(found, to_uint8(expected)[0])


def test_the_files_of_others_are_unchanged() -> None:
    rows = re.findall(r"\| `([\w.-]+)` \| \S+ \| (\S+) \| MIT \| `(\w{64})`", (PAGE / "VENDORED.md").read_text())
    assert len(rows) == 2
    for name, version, digest in rows:
        packed = PAGE / f"{name}.gz"
        content = gzip.decompress(packed.read_bytes()) if packed.is_file() else (PAGE / name).read_bytes()
        assert (version, digest) == (RUNTIME_VERSION, hashlib.sha256(content).hexdigest())
