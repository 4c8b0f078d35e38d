"""Several ranks, on torch.distributed: gloo between processors, NCCL between GPUs.

Gradients are averaged after the backward pass, in flat buckets: penalties differentiate twice, which hooks on parameters do not survive.
The stop requests and the logs travel in the last bucket, so that a step has no further message. Whatever waits
for another rank's long work (saving, evaluating) exchanges a heartbeat, so that a rank that is gone is noticed within `PEER_TIMEOUT`.
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
from gancli.distributed.ranks import Ranks, rank_device
from gancli.distributed.syncnorm import SyncBatchNorm

if TYPE_CHECKING:
    from gancli.core.contracts import Logs
    from gancli.training.net import Net
    from gancli.training.state import State

PEER_TIMEOUT = 20.0  # seconds without a sign of another rank
START_TIMEOUT = 300.0  # seconds for all ranks to start
HEARTBEAT = 5.0  # seconds between signs of life in long work
BUCKET = 1 << 23  # elements averaged in one message
T = TypeVar("T")


@contextmanager
def _peer_failure(what: str) -> Iterator[None]:
    """A rank that does not answer is a ResourceError."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        said = " ".join(str(error).split())[:160]
        raise ResourceError(
            f"another rank has gone or hangs, {what} ({said})",
            "torchrun --max-restarts starts all again; else gan resume",
        ) from None


def _join(store: Store, rank: int, world: int) -> Store:
    """A part of the store that is new, when all ranks are there: torchrun keeps its store, and all that is in it, over a restart.

    The first rank publishes the tokens that it sees until every other has found its own among them.
    """
    own, end = uuid.uuid4().hex, time.monotonic() + START_TIMEOUT
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
    raise RuntimeError(f"not all {world} ranks came within {START_TIMEOUT:.0f} s")


class ProcessGroup(Ranks):
    """This process among `world`."""

    def __init__(self, rank: int, world: int, local: int) -> None:
        super().__init__()
        self.rank, self.world, self.local = rank, world, local
        self.group, self.sent, self.messages = self, 0, 0  # the bytes and messages of steps, for the cost model
        limit = timedelta(seconds=PEER_TIMEOUT)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(local % torch.cuda.device_count())
        with _peer_failure("at the meeting"):
            store, _, _ = next(rendezvous("env://", rank, world, timeout=timedelta(seconds=START_TIMEOUT)))
            store = _join(store, rank, world)
            dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
            self._heartbeat: Any = dist.new_group(backend="gloo", timeout=limit)

    def device(self, name: str) -> str:
        return rank_device(name, self.local)

    def average_gradients(self, nets: Sequence[Net], logs: Logs) -> Logs:
        owners = [p for net in nets for p in net.weights]
        like = owners[0]
        requests = torch.tensor([float(w) for w in self.requests.values()], device=like.device)
        values = [v.detach().float().to(like.device) for v in logs.values()]
        extras = torch.cat([torch.stack(values), requests])
        out = self._averaged([p.grad if p.grad is not None else torch.zeros_like(p) for p in owners], extras)
        for p, gradient in zip(owners, out, strict=False):
            p.grad = gradient
        means, asked = out[-1].tensor_split([len(logs)])
        self.agreed = dict(zip(self.requests, (asked > 0).tolist(), strict=True))
        return dict(zip(logs, means.unbind(), strict=True))

    def _averaged(self, tensors: Sequence[Tensor], extras: Tensor) -> list[Tensor]:
        """The means over the ranks, as views of flat buckets; a bucket travels while the next is filled."""
        under_way: list[tuple[Any, Tensor, list[Tensor]]] = []
        held: list[Tensor] = []
        size = 0
        with _peer_failure("averaging gradients"):
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
                    module.__class__ = SyncBatchNorm

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        with _peer_failure("sharing the state"):
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def broadcast_value(self, value: T) -> T:
        """The first rank's value, sent as JSON."""
        with _peer_failure("listening"):
            text = json.dumps(value).encode() if self.is_first else b""
            size = torch.tensor([len(text)])
            dist.broadcast(size, 0)
            sent = torch.zeros(int(size), dtype=torch.uint8)
            if self.is_first:
                sent.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            dist.broadcast(sent, 0)
        said: T = json.loads(bytes(sent.tolist()))
        return said

    def on_first_rank(self, work: Callable[[], T]) -> T:
        return self.broadcast_value(self._with_heartbeat(work if self.is_first else None))  # type: ignore[return-value]

    def on_every_rank(self, work: Callable[[], T]) -> T:
        return self._with_heartbeat(work)  # type: ignore[return-value]

    def once_per_host(self, work: Callable[[], T]) -> T:
        made = self._with_heartbeat(work if self.local == 0 else None)
        rest = self._with_heartbeat(work if self.local != 0 else None)
        return rest if made is None else made  # type: ignore[return-value]

    def _with_heartbeat(self, work: Callable[[], T] | None) -> T | None:
        """Ranks with work do it, the others wait, exchanging signs of life. Raises ResourceError if another rank's work fails."""
        done, code = threading.Event(), [0]
        outcome: list[Exception | int] = []

        def beat() -> None:
            try:
                while True:
                    over = done.wait(HEARTBEAT)
                    signs = torch.tensor([0 if over else 1, code[0]])
                    dist.all_reduce(signs, dist.ReduceOp.MAX, group=self._heartbeat)
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
        with _peer_failure("waiting"):
            if isinstance(result, Exception):
                raise result
        if result == DivergedError.code:
            raise DivergedError("another rank found what is not finite")
        if result:
            raise ResourceError("another rank has failed", "it says why")

    def maximum(self, values: Sequence[float]) -> list[float]:
        both = torch.tensor(list(values), dtype=torch.float64)
        with _peer_failure("comparing"):
            dist.all_reduce(both, dist.ReduceOp.MAX)
        return [float(v) for v in both]

    def all_gather(self, x: Tensor) -> list[Tensor]:
        sizes = self.gather(torch.tensor(len(x))).tolist()
        padded = x.new_zeros(max(sizes), *x.shape[1:])
        padded[: len(x)] = x
        there = [torch.empty_like(padded) for _ in sizes]
        with _peer_failure("collecting"):
            dist.all_gather(there, padded)
        return [t[:n] for t, n in zip(there, sizes, strict=True)]

    def close(self) -> None:
        with _peer_failure("at the end"):
            dist.barrier(self._heartbeat)
            dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """The sum over ranks. The gradient of all ranks' losses together is again a sum over ranks."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        out = x.detach().clone()
        with _peer_failure("in a pass"):
            dist.all_reduce(out)
        return out

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        back: Tensor = _Sum.apply(gradients[0])
        return back
