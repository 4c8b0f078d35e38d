"""Several ranks on torch.distributed, with gloo on CPUs and NCCL on GPUs.

Gradients are averaged in flat buckets after the backward pass, not by hooks on parameters, because penalties differentiate
twice. Stop requests and logs are part of the last bucket, so a step needs no other message. While ranks wait for the long
work of another one (saving, evaluation), all exchange a heartbeat, so a lost rank is detected within `PEER_TIMEOUT`.
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

PEER_TIMEOUT = 20.0  # seconds without an answer of another rank
START_TIMEOUT = 300.0  # seconds for all ranks to start
HEARTBEAT = 5.0  # seconds between heartbeats during long work
BUCKET = 1 << 23  # elements per message
T = TypeVar("T")


@contextmanager
def _peer_failure(doing: str) -> Iterator[None]:
    """Convert errors of torch.distributed (a rank does not answer) to ResourceError."""
    try:
        yield
    except (RuntimeError, OSError) as error:
        message = " ".join(str(error).split())[:160]
        raise ResourceError(
            f"another rank ended or does not answer, while {doing} ({message})",
            "use torchrun --max-restarts to restart automatically, or gan resume",
        ) from None


def _join(store: Store, rank: int, world: int) -> Store:
    """Wait for all ranks, and return a store with a new prefix, since torchrun keeps the keys in its store over a restart.

    Every rank publishes a random token under its own key. Rank 0 publishes the list of tokens it reads, again and again,
    until all other ranks have confirmed that their current token is in the list. The prefix is the token of rank 0.
    """
    own, end = uuid.uuid4().hex, time.monotonic() + START_TIMEOUT
    if rank:
        store.set(f"gan/join/{rank}", own)
    while time.monotonic() < end:
        if rank == 0:
            keys = [f"gan/join/{r}" for r in range(1, world)]
            tokens = [store.get(k).decode() if store.check([k]) else "" for k in keys]
            store.set("gan/go", json.dumps([own, *tokens]))
            if store.add(f"gan/ok/{own}", 0) == world - 1:
                return PrefixStore(own, store)
        elif store.check(["gan/go"]) and own in (go := json.loads(store.get("gan/go"))):
            store.add(f"gan/ok/{go[0]}", 1)
            return PrefixStore(go[0], store)
        time.sleep(0.02)
    raise RuntimeError(f"not all {world} ranks started within {START_TIMEOUT:.0f} s")


class ProcessGroup(Ranks):
    """One of `world` processes that communicate by torch.distributed.

    Args:
        rank: of this process.
        world: number of processes.
        local: rank among the processes of this host.

    Raises:
        ResourceError: not all ranks start within `START_TIMEOUT`.
    """

    def __init__(self, rank: int, world: int, local: int) -> None:
        super().__init__()
        self.rank, self.world, self.local = rank, world, local
        self.group, self.sent, self.messages = self, 0, 0  # bytes and messages sent in training steps
        limit = timedelta(seconds=PEER_TIMEOUT)
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        if torch.cuda.is_available():
            torch.cuda.set_device(local % torch.cuda.device_count())
        with _peer_failure("connecting"):
            store, _, _ = next(rendezvous("env://", rank, world, timeout=timedelta(seconds=START_TIMEOUT)))
            store = _join(store, rank, world)
            dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
            self._heartbeat: Any = dist.new_group(backend="gloo", timeout=limit)

    def device(self, name: str) -> str:
        return rank_device(name, self.local)

    def average_gradients(self, nets: Sequence[Net], logs: Logs) -> Logs:
        weights = [p for net in nets for p in net.weights]
        device = weights[0].device
        requests = torch.tensor([float(r) for r in self.requests.values()], device=device)
        values = [v.detach().float().to(device) for v in logs.values()]
        extras = torch.cat([torch.stack(values), requests])
        out = self._averaged([p.grad if p.grad is not None else torch.zeros_like(p) for p in weights], extras)
        for p, gradient in zip(weights, out, strict=False):
            p.grad = gradient
        means, requested = out[-1].tensor_split([len(logs)])
        self.agreed = dict(zip(self.requests, (requested > 0).tolist(), strict=True))
        return dict(zip(logs, means.unbind(), strict=True))

    def _averaged(self, tensors: Sequence[Tensor], extras: Tensor) -> list[Tensor]:
        """Average tensors over the ranks in flat buckets, of which the results are views. Messages are asynchronous."""
        pending: list[tuple[Any, Tensor, list[Tensor]]] = []
        bucket: list[Tensor] = []
        size = 0
        with _peer_failure("averaging gradients"):
            for tensor in [*tensors, extras]:
                bucket.append(tensor)
                size += tensor.numel()
                if tensor is extras or size >= BUCKET:
                    flat = torch.cat([t.reshape(-1) for t in bucket])
                    self._count(flat)
                    pending.append((dist.all_reduce(flat, async_op=True), flat, bucket))
                    bucket, size = [], 0
            out = []
            for message, sums, members in pending:
                message.wait()
                pieces = torch.split(sums.div_(self.world), [prod(t.shape) for t in members])
                out += [piece.view(t.shape) for piece, t in zip(pieces, members, strict=True)]
        return out

    def _count(self, x: Tensor, times: int = 1) -> None:
        self.sent, self.messages = self.sent + times * x.numel() * x.element_size(), self.messages + times

    def gather(self, x: Tensor) -> Tensor:
        stacked = torch.stack([x if r == self.rank else torch.zeros_like(x) for r in range(self.world)])
        self._count(stacked, 2 if x.requires_grad else 1)
        total: Tensor = _Sum.apply(stacked)
        return total

    def synchronize(self, state: State) -> None:
        for net in state.nets.values():
            for module in (*net.module.modules(), *net.working.modules()):
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.__class__ = SyncBatchNorm

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        with _peer_failure("broadcasting the state"):
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def broadcast_value(self, value: T) -> T:
        """Broadcast a value of rank 0 as JSON. `value` is ignored on other ranks."""
        with _peer_failure("broadcasting a value"):
            text = json.dumps(value).encode() if self.is_first else b""
            size = torch.tensor([len(text)])
            dist.broadcast(size, 0)
            content = torch.zeros(int(size), dtype=torch.uint8)
            if self.is_first:
                content.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
            dist.broadcast(content, 0)
        received: T = json.loads(bytes(content.tolist()))
        return received

    def on_first_rank(self, work: Callable[[], T]) -> T:
        return self.broadcast_value(self._with_heartbeat(work if self.is_first else None))  # type: ignore[return-value]

    def on_every_rank(self, work: Callable[[], T]) -> T:
        return self._with_heartbeat(work)  # type: ignore[return-value]

    def once_per_host(self, work: Callable[[], T]) -> T:
        made = self._with_heartbeat(work if self.local == 0 else None)
        rest = self._with_heartbeat(work if self.local != 0 else None)
        return rest if made is None else made  # type: ignore[return-value]

    def _with_heartbeat(self, work: Callable[[], T] | None) -> T | None:
        """Run work on the ranks that have some, while all ranks exchange heartbeats.

        Args:
            work: None: this rank only waits.

        Returns:
            The result of this rank's work.

        Raises:
            DivergedError: training diverged on another rank.
            ResourceError: another rank's work failed, or it does not answer.
        """
        done, code = threading.Event(), [0]
        outcome: list[Exception | int] = []

        def exchange_heartbeats() -> None:
            try:
                while True:
                    is_done = done.wait(HEARTBEAT)
                    status = torch.tensor([0 if is_done else 1, code[0]])  # still working, exit code
                    dist.all_reduce(status, dist.ReduceOp.MAX, group=self._heartbeat)
                    if int(status[0]) == 0:
                        outcome.append(int(status[1]))
                        return
            except Exception as error:  # noqa: BLE001
                outcome.append(error)

        if work is None:
            done.set()
            exchange_heartbeats()
            self._raise_failure(outcome[0])
            return None
        thread = threading.Thread(target=exchange_heartbeats, daemon=True)
        thread.start()
        try:
            made = work()
        except BaseException as error:
            code[0] = getattr(error, "code", 1)
            raise
        finally:
            done.set()
            thread.join()
        self._raise_failure(outcome[0])
        return made

    def _raise_failure(self, result: Exception | int) -> None:
        """Raise an exception of the heartbeat thread, or an error for a nonzero exit code of another rank."""
        with _peer_failure("waiting for other ranks"):
            if isinstance(result, Exception):
                raise result
        if result == DivergedError.code:
            raise DivergedError("another rank found a value that is not finite")
        if result:
            raise ResourceError("another rank failed", "see its error message")

    def maximum(self, values: Sequence[float]) -> list[float]:
        maxima = torch.tensor(list(values), dtype=torch.float64)
        with _peer_failure("computing a maximum"):
            dist.all_reduce(maxima, dist.ReduceOp.MAX)
        return [float(v) for v in maxima]

    def all_gather(self, x: Tensor) -> list[Tensor]:
        sizes = self.gather(torch.tensor(len(x))).tolist()
        padded = x.new_zeros(max(sizes), *x.shape[1:])
        padded[: len(x)] = x
        gathered = [torch.empty_like(padded) for _ in sizes]
        with _peer_failure("gathering tensors"):
            dist.all_gather(gathered, padded)
        return [t[:n] for t, n in zip(gathered, sizes, strict=True)]

    def close(self) -> None:
        with _peer_failure("disconnecting"):
            dist.barrier(self._heartbeat)
            dist.destroy_process_group()


class _Sum(torch.autograd.Function):
    """Sum over the ranks. The gradient of the sum of all ranks' losses is again a sum over the ranks."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor) -> Tensor:
        out = x.detach().clone()
        with _peer_failure("computing batch statistics"):
            dist.all_reduce(out)
        return out

    @staticmethod
    def backward(_ctx: Any, *gradients: Tensor) -> Tensor:
        back: Tensor = _Sum.apply(gradients[0])
        return back
