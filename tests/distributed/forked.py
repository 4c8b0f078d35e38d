"""Ranks as forked processes: they need not import torch again, and a test of two ranks takes a second."""

from __future__ import annotations

import json
import os
import socket
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gancli.core.config import Config, read_preset, resolve
from gancli.core.data import Reading
from gancli.data.loader import Loader
from gancli.distributed import ranks
from gancli.distributed.ranks import Ranks
from gancli.training.state import State, new_state
from gancli.training.step import step

NARROW: dict[str, dict[str, Any]] = {
    "textbook": {"g_widths": [16], "d_widths": [16]},
    "wgan-gp": {"z": 16, "g_width": 8, "d_width": 8, "widest": 16},
    "r3gan": {"z": 16, "g_width": 16, "d_width": 16, "widest": 16, "group": 8},
    "cgan": {"z": 16, "g_width": 8, "d_width": 8, "widest": 16},
    "dragan": {"z": 16, "g_width": 8, "d_width": 8, "widest": 16},
    "stylegan2": {"z": 16, "w": 16, "width": 8, "widest": 16, "mixing": 0.5, "group": 4},
}
MORE: dict[str, Any] = {
    "stylegan2": {"augment": [{"name": "ada", "start": 0.5, "speed": 1000, "target": 0.0, "mirror": False}]}
}
CPU = torch.device("cpu")
Work = Callable[[Ranks], Any]


def made(preset: str, dtype: torch.dtype = torch.float32, **more: Any) -> tuple[Config, State, Loader]:
    """A preset with narrow nets, on the digits."""
    base = read_preset(preset)
    task = {"model": {**base["task"]["model"], **NARROW[preset]}, **MORE.get(preset, {}), **more.pop("task", {})}
    cfg = resolve(base, {"data": {"source": "digits", "flip": True}, "batch_size": 32, "task": task}, more)
    split = cfg.data.source.read(Reading(Path(), Path()))
    loader = Loader(split.train.augmented(cfg.data.flip), cfg.seed, CPU, dtype)
    return cfg, new_state(cfg.task, cfg, loader.spec, CPU, dtype), loader


def curves(preset: str, steps: int, here: Ranks, **more: Any) -> list[dict[str, Any]]:
    """The logs of some steps, the length of the weights after each, and which images were read."""
    cfg, state, loader = made(preset, **more)
    here.synchronize(state)
    out: list[dict[str, Any]] = []
    seen: list[torch.Tensor] = []
    indices = loader.orders.indices

    def spy(*where: Any) -> torch.Tensor:
        seen.append(indices(*where))
        return seen[-1]

    loader.orders.indices = spy  # type: ignore[method-assign]
    for _ in range(steps):
        logs = step(cfg.task, state, loader, cfg, here)
        weights = {f"{n}_size": float(net.flat.detach().norm()) for n, net in state.nets.items()}
        memory = {k: float(v) for k, v in state.memory.items() if v.dim() == 0}
        read = [i for index in seen for i in index.tolist()]
        out.append({**{k: float(v) for k, v in logs.items()}, **weights, **memory, "read": read})
        seen.clear()
    return out


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def fork_ranks(world: int, work: Work, place: Path, limit: float = 60.0) -> list[Any]:
    """What the work gives on each rank, None of one that was killed. An AssertionError with the tracebacks if one fails or hangs."""
    port, numbers = free_port(), []
    place.mkdir(parents=True, exist_ok=True)
    for rank in range(world):
        number = os.fork()
        if number == 0:
            _be(rank, world, port, work, place)
        numbers.append(number)
    codes: dict[int, bool] = {}
    end = time.monotonic() + limit
    while len(codes) < world and time.monotonic() < end:
        for number in numbers:
            if number not in codes and os.waitpid(number, os.WNOHANG) != (0, 0):
                codes[number] = True
        time.sleep(0.01)
    for number in set(numbers) - codes.keys():
        os.kill(number, 9)
        os.waitpid(number, 0)
    wrong = [p.read_text() for p in sorted(place.glob("*.failed"))]
    assert not wrong, "\n".join(wrong)
    assert len(codes) == world, f"ranks hung for {limit} s"
    files = [place / f"{rank}.json" for rank in range(world)]
    return [json.loads(f.read_text()) if f.exists() else None for f in files]


def _be(rank: int, world: int, port: int, work: Work, place: Path) -> None:
    os.environ |= {
        "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }  # fmt: skip
    try:
        ranks.here.cache_clear()
        here = ranks.here()
        result = work(here)
        (place / f"{rank}.json").write_text(json.dumps(result))
        if not (isinstance(result, dict) and "code" in result):
            here.close()
    except BaseException:  # noqa: BLE001
        (place / f"{rank}.failed").write_text(f"rank {rank}\n{traceback.format_exc()}")
    finally:
        os._exit(0)


Fork = Callable[[int, Work], list[Any]]
