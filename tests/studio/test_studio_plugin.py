"""A task that studio/ has never heard of: one file, with a request of its own. Its form, samples and pages are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.studio.conftest import started

TASK = '''
from math import prod

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn.functional import softplus

from gancli.core.images import ImageSamples, to_uint8
from gancli.core.samples import Ask
from gancli.core.seeds import generator
from gancli.core.specs import Images
from gancli.core.task import Phase, Task


class Bright(Ask):
    """Images of seeds, as bright as one likes."""

    needs = "seeds and brightness"
    seeds: tuple[int, ...]
    brightness: float = Field(0.5, ge=0, le=1, description="0: black, 1: as the net makes them")
    invert: bool = False

    def __len__(self):
        return len(self.seeds)

    def rows(self, index):
        return self.replace(seeds=tuple(self.seeds[i] for i in index))


class Strange(Task):
    """A GAN of a stranger (0000.00001)."""

    name = "strange"
    accepts = Images
    asks = Bright
    quick = ()
    headline = "fid"
    z: int = Field(8, ge=1, description="width of the noise")
    temper: float = 0.25

    def nets(self, spec):
        shape = (spec.channels, spec.height, spec.width)
        g = nn.Sequential(nn.Linear(self.z, 16), nn.ReLU(), nn.Linear(16, prod(shape)), nn.Tanh(), nn.Unflatten(1, shape))
        return {"G": g, "D": nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), 1), nn.Flatten(0))}

    def phases(self, nets):
        return [Phase("D", ("D",), self.d_loss), Phase("G", ("G",), self.g_loss, new_batch=False)]

    def d_loss(self, ctx):
        real, fake = self.critics(ctx)["D"]
        return softplus(-real) + softplus(fake), {}

    def g_loss(self, ctx):
        return softplus(-ctx.nets["D"](ctx.nets["G"](ctx.noise(self.z)))), {}

    def critics(self, ctx):
        return {"D": (ctx.nets["D"](ctx.batch["real"]), ctx.nets["D"](ctx.nets["G"](ctx.noise(self.z)).detach()))}

    def generate(self, nets, ask, spec):
        z = torch.stack([torch.randn(self.z, generator=generator("sample", s)) for s in ask.seeds])
        images = to_uint8(nets["G"](z))
        images = (images * ask.brightness).astype(np.uint8)
        return ImageSamples(255 - images if ask.invert else images)

    def preview(self, spec, data, n):
        return Bright(seeds=tuple(range(n)))

    def evaluation(self, spec, data, n, seed):
        return Bright(seeds=tuple(range(seed, seed + n)))
'''


@pytest.mark.timeout(900)
def test_a_strangers_task(tmp_path: Path) -> None:
    (tmp_path / "strange.py").write_text(TASK)
    studio = started(tmp_path, "--plugin", "strange.py")
    try:
        task = studio.get("/api/schema")["$defs"]["task.strange"]
        assert task["x-asks"] == {"verb": "gan sample", "needs": "seeds and brightness"}
        form = {"data": "digits", "o.task": "strange"}
        options = studio.ask("/new/options", form)
        assert options.code == 200
        assert 'name="o.task.temper"' in options.text
        assert "width of the noise" in options.text
        begun = studio.post("/api/train", {**form, "name": "odd", "epochs": "0.05", "batch": "16", "o.task.z": "4"})
        assert "--set task=strange --set task.z=4" in begun["command"]
        studio.until(lambda: studio.get("/api/runs/odd")["state"] == "finished")
        page = studio.ask("/runs/odd").text
        assert "A GAN of a stranger" in page
        assert len(studio.get("/api/runs/odd")["previews"]) >= 1
        asks = studio.get("/api/runs/odd/asks")
        assert [o["name"] for o in asks["options"]] == ["brightness", "invert"]
        shown = studio.ask("/runs/odd/draw/form", {}, "POST").text
        assert 'name="a.brightness"' in shown
        assert "as the net makes them" in shown
        made = studio.post("/api/runs/odd/draw", {"seeds": "0-3", "a.brightness": "0", "a.invert": "true"})["made"][0]
        picture = studio.ask(f"/made/{made['file']}")
        assert picture.body.startswith(b"\x89PNG")
        assert made["n"] == 4
        refused = studio.ask("/api/runs/odd/draw", {"seeds": "0", "a.brightness": "7"})
        assert refused.code in (400, 422, 507), refused.text
    finally:
        studio.end()


def test_every_address_is_described() -> None:
    from gancli.studio.app import RECEIVE, STREAM, endpoints
    from gancli.studio.openapi import document

    known = [*endpoints(), RECEIVE, STREAM]
    made = document(known)
    assert made["openapi"].startswith("3.1")
    operations = [o for path in made["paths"].values() for o in path.values()]
    assert len(operations) == len(known)
    assert len({o["operationId"] for o in operations}) == len(known)
    for path, methods in made["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert all(f"{{{name}}}" in path for name in named)
            assert path.count("{") == len(named)
