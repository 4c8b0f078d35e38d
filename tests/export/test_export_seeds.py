"""One seed, one latent vector: in torch, in numpy, in JavaScript."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

import gancli.export
from gancli.core.exportable import Draw
from gancli.core.seeds import generator
from gancli.export.seeds import draw, normal

WIDTHS = [*range(1, 40), 48, 63, 64, 100, 128, 512]
SEEDS = [*range(48), 2**40 + 1, 2**63 - 1]
PAGE = Path(gancli.export.__file__).parent / "page"


@pytest.mark.parametrize("width", WIDTHS)
def test_numpy_draws_what_torch_draws(width: int) -> None:
    for seed in SEEDS:
        expected = torch.randn(width, generator=generator("sample", seed)).numpy()
        np.testing.assert_allclose(normal(width, "sample", seed), expected, rtol=0, atol=1e-6)


def test_part_of_the_numbers_as_uniform_ones() -> None:
    from gancli.models.latents import to_uniform

    how = (Draw(("sample", None), 5), Draw(("sample", None, "c"), 12, first=10, uniform=True), Draw(("a",), 9, end=2))
    row = draw(how, [7])[0]
    c = torch.randn(12, generator=generator("sample", 7, "c"))
    a = torch.randn(9, generator=generator("a"))
    expected = torch.cat([torch.randn(5, generator=generator("sample", 7)), to_uniform(c[10:]), a[:2]])
    np.testing.assert_allclose(row, expected.numpy(), rtol=0, atol=1e-6)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_javascript_draws_what_numpy_draws(tmp_path: Path) -> None:
    ask = "for (const w of WIDTHS) for (const s of SEEDS) out.push([...normal(w, ['sample', s])]);"
    uniform = "out.push([...draw([{path: ['sample', null], width: 40, first: 3, end: 39, uniform: true}], 7)]);"
    head = f"const WIDTHS = {WIDTHS}, SEEDS = {[f'{s}n' for s in SEEDS]}, out = [];".replace("'", "")
    script = tmp_path / "ask.js"
    script.write_text((PAGE / "seeds.js").read_text() + head + ask + uniform + "console.log(JSON.stringify(out))")
    said = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True).stdout
    *rows, last = json.loads(said)
    pairs = [(w, s) for w in WIDTHS for s in SEEDS]
    for (width, seed), row in zip(pairs, rows, strict=True):
        np.testing.assert_allclose(row, normal(width, "sample", seed), rtol=0, atol=5e-7)
    expected = draw((Draw(("sample", None), 40, 3, 39, uniform=True),), [7])[0]
    np.testing.assert_allclose(last, expected, rtol=0, atol=5e-7)
