"""Several ranks, on torch.distributed: gloo between processors, NCCL between GPUs.

Gradients are averaged after the backward pass, in flat buckets: penalties differentiate twice, which hooks on parameters do not survive.
The stop wishes and the logs travel in the last bucket, so that a step has no further message. Whatever waits
for another rank's long work (saving, evaluating) exchanges a heartbeat, so that a rank that is gone is noticed within `PATIENCE`.
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from gancli.core.errors import DivergedError, ResourceError
from gancli.distributed.ranks import Ranks, own_device
from gancli.distributed.syncnorm import Synced

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.training.net import Net
    from gancli.training.state import State

PATIENCE = 20.0  # seconds without a sign of another rank
MEETING = 300.0  # seconds for all ranks to start
BEAT = 5.0  # seconds between signs of life in long work
BUCKET = 1 << 23  # elements averaged in one message
T = TypeVar("T")


@contextmanager
def _lost(what: str) -> Iterator[None]:
    """A rank that does not answer is a ResourceError."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        said = " ".join(str(error).split())[:160]
        raise ResourceError(
            f"another rank has gone or hangs, {what} ({said})",
            "torchrun --max-restarts starts all again; else gan resume",
        ) from None


def _met(store: Store, rank: int, world: int) -> Store:
    """A part of the store that is new, when all ranks are there: torchrun keeps its store, and all that is in it, over a restart.

    The first rank publishes the tokens that it sees until every other has found its own among them.
    """
    own, end = uuid.uuid4().hex, time.monotonic() + MEETING
    if rank:
        store.set(f"gan/join/{rank}", own)
    while time.monotonic() < end:
        if rank == 0:
            keys = [f"gan/join/{r}" for r in range(1, world)]
            there = [store.get(k).decode() if store.check([k]) else "" for k in keys]
            store.set("gan/go", json.dumps([own, *there]))
            if store.add(f"gan/ok/{own}", 0) == world - 1:
                return PrefixStore(own, store)
        elif store.check(["gan/go"]) and own in (go := json.loads(store.get("gan/go"))):
            store.add(f"gan/ok/{go[0]}", 1)
            return PrefixStore(go[0], store)
        time.sleep(0.02)
    raise RuntimeError(f"not all {world} ranks came within {MEETING:.0f} s")


class Together(Ranks):
    """This process among `world`."""

    def __init__(self, rank: int, world: int, local: int) -> None:
        super().__init__()
        self.rank, self.world, self.local = rank, world, local
        self.group, self.sent, self.messages = self, 0, 0  # the bytes and messages of steps, for the cost model
        limit = timedelta(seconds=PATIENCE)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(local % torch.cuda.device_count())
        with _lost("at the meeting"):
            store, _, _ = next(rendezvous("env://", rank, world, timeout=timedelta(seconds=MEETING)))
            store = _met(store, rank, world)
            dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
            self._beat: Any = dist.new_group(backend="gloo", timeout=limit)

    def device(self, name: str) -> str:
        return own_device(name, self.local)

    def average(self, nets: Sequence[Net], logs: Logs) -> Logs:
        owners = [p for net in nets for p in net.weights]
        like = owners[0]
        wishes = torch.tensor([float(w) for w in self.wishes.values()], device=like.device)
        values = [v.detach().float().to(like.device) for v in logs.values()]
        extras = torch.cat([torch.stack(values), wishes])
        out = self._averaged([p.grad if p.grad is not None else torch.zeros_like(p) for p in owners], extras)
        for p, gradient in zip(owners, out, strict=False):
            p.grad = gradient
        means, asked = out[-1].tensor_split([len(logs)])
        self.granted = dict(zip(self.wishes, (asked > 0).tolist(), strict=True))
        return dict(zip(logs, means.unbind(), strict=True))

    def _averaged(self, tensors: Sequence[Tensor], extras: Tensor) -> list[Tensor]:
        """The means over the ranks, as views of flat buckets; a bucket travels while the next is filled."""
        under_way: list[tuple[Any, Tensor, list[Tensor]]] = []
        held: list[Tensor] = []
        size = 0
        with _lost("averaging gradients"):
            for tensor in [*tensors, extras]:
                held.append(tensor)
                size += tensor.numel()
                if tensor is extras or size >= BUCKET:
                    flat = torch.cat([t.reshape(-1) for t in held])
                    self._count(flat)
                    under_way.append((dist.all_reduce(flat, async_op=True), flat, held))
                    held, size = [], 0
            out = []
            for message, sums, members in under_way:
                message.wait()
                pieces = torch.split(sums.div_(self.world), [prod(t.shape) for t in members])
                out += [piece.view(t.shape) for piece, t in zip(pieces, members, strict=True)]
        return out

    def _count(self, x: Tensor, times: int = 1) -> None:
        self.sent, self.messages = self.sent + times * x.numel() * x.element_size(), self.messages + times

    def gather(self, x: Tensor) -> Tensor:
        """The tensors of all ranks, [world, ...]; differentiable, twice if need be."""
        mine = [x if r == self.rank else torch.zeros_like(x) for r in range(self.world)]
        whole = torch.stack(mine)
        self._count(whole, 2 if x.requires_grad else 1)
        total: Tensor = _Sum.apply(whole)
        return total

    def synchronize(self, state: State) -> None:
        for net in state.nets.values():
            for module in (*net.module.modules(), *net.working.modules()):
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.__class__ = Synced

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        with _lost("sharing the state"):
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def tell(self, value: T) -> T:
        """The first rank's value, sent as JSON."""
        with _lost("listening"):
            text = json.dumps(value).encode() if self.first else b""
            size = torch.tensor([len(text)])
            dist.broadcast(size, 0)
            sent = torch.zeros(int(size), dtype=torch.uint8)
            if self.first:
                sent.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            dist.broadcast(sent, 0)
        said: T = json.loads(bytes(sent.tolist()))
        return said

    def by_first(self, work: Callable[[], T]) -> T:
        return self.tell(self._patiently(work if self.first else None))  # type: ignore[return-value]

    def each(self, work: Callable[[], T]) -> T:
        return self._patiently(work)  # type: ignore[return-value]

    def by_each_host(self, work: Callable[[], T]) -> T:
        made = self._patiently(work if self.local == 0 else None)
        rest = self._patiently(work if self.local != 0 else None)
        return rest if made is None else made  # type: ignore[return-value]

    def _patiently(self, work: Callable[[], T] | None) -> T | None:
        """Ranks with work do it, the others wait, exchanging signs of life. Raises ResourceError if another rank's work fails."""
        done, code = threading.Event(), [0]
        outcome: list[Exception | int] = []

        def beat() -> None:
            try:
                while True:
                    over = done.wait(BEAT)
                    signs = torch.tensor([0 if over else 1, code[0]])
                    dist.all_reduce(signs, dist.ReduceOp.MAX, group=self._beat)
                    if int(signs[0]) == 0:
                        outcome.append(int(signs[1]))
                        return
            except Exception as error:  # noqa: BLE001
                outcome.append(error)

        if work is None:
            done.set()
            beat()
            self._outcome(outcome[0])
            return None
        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            made = work()
        except BaseException as error:
            code[0] = getattr(error, "code", 1)
            raise
        finally:
            done.set()
            beating.join()
        self._outcome(outcome[0])
        return made

    def _outcome(self, result: Exception | int) -> None:
        with _lost("waiting"):
            if isinstance(result, Exception):
                raise result
        if result == DivergedError.code:
            raise DivergedError("another rank found what is not finite")
        if result:
            raise ResourceError("another rank has failed", "it says why")

    def most(self, values: Sequence[float]) -> list[float]:
        both = torch.tensor(list(values), dtype=torch.float64)
        with _lost("comparing"):
            dist.all_reduce(both, dist.ReduceOp.MAX)
        return [float(v) for v in both]

    def collect(self, x: Tensor) -> list[Tensor]:
        sizes = self.gather(torch.tensor(len(x))).tolist()
        padded = x.new_zeros(max(sizes), *x.shape[1:])
        padded[: len(x)] = x
        there = [torch.empty_like(padded) for _ in sizes]
        with _lost("collecting"):
            dist.all_gather(there, padded)
        return [t[:n] for t, n in zip(there, sizes, strict=True)]

    def close(self) -> None:
        with _lost("at the end"):
            dist.barrier(self._beat)
            dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """The sum over ranks. The gradient of all ranks' losses together is again a sum over ranks."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        out = x.detach().clone()
        with _lost("in a pass"):
            dist.all_reduce(out)
        return out

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        back: Tensor = _Sum.apply(gradients[0])
        return back
