"""Tiles give the result of the whole image, with statistics of normalization measured over all tiles."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gancli.core.registry import build, parts
from gancli.inference.tiles import Tiled, tiles
from gancli.models.translators import extended_size

SIZE = (32, 32)


@pytest.mark.parametrize("name", list(parts("translator")))
@pytest.mark.parametrize("norm", ["instance", "layer", "none"])
@pytest.mark.parametrize("shape", [(150, 131), (40, 200), (64, 64)])
def test_tiled_equals_whole(name: str, norm: str, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    fields = parts("translator")[name].model_fields
    more = {k: v for k, v in {"width": 4, "blocks": 1}.items() if k in fields}
    if norm != "none" and "norm" not in fields:
        pytest.skip("it has no normalization")
    part: Any = build("translator", {"name": name, **({"norm": norm} if "norm" in fields else {}), **more})
    net = part.net(3, 3, SIZE).eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.normal_(layer.weight, 0, 0.15)
    x = torch.rand(1, 3, *shape)
    grid = part.grid(SIZE)
    tiled = Tiled({"G": net}, lambda nets, of: nets["G"](of["x"]), 1, lambda n: extended_size(n, grid, SIZE[0]))
    parts_ = tiles(*shape, 48, grid, part.reach(SIZE))
    passes: list[int] = []
    with torch.no_grad():
        torch.testing.assert_close(tiled({"x": x}, parts_, passes.append), net(x), atol=2e-5, rtol=1e-4)
    assert passes[-1] % len(parts_) == 0
    assert (passes[-1] > len(parts_)) == (norm != "none")
    torch.testing.assert_close(net(x), net(x))  # the net itself is as it was


def test_tiles_cover_the_image_once() -> None:
    seen = torch.zeros(70, 45, dtype=torch.int64)
    for tile in tiles(70, 45, 20, 8, 5):
        seen[slice(*tile.rows), slice(*tile.columns)] += 1
        assert tile.window[0] % 8 == tile.window[2] % 8 == 0
    assert bool((seen == 1).all())
