"""Ranks: the processes that train one run together. One rank alone is a trivial object, and nothing of torch's distributed is loaded.

The batch is what the user asked for, whatever the number of ranks; rank r of w has rows r N / w .. (r + 1) N / w of it.
`torchrun` says by the environment who is who (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT); so may anything else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from gancli.core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from gancli.core.contracts import Logs
    from gancli.core.sharding import Group
    from gancli.training.net import Net
    from gancli.training.state import State

T = TypeVar("T")
UNNAMED = "none"  # torchrun's name for a job without one


class Ranks:
    """One rank: all of the batch, nothing to wait for."""

    rank, world, local = 0, 1, 0
    group: Group | None = None

    def __init__(self) -> None:
        self.requests = {"signal": False, "minutes": False}  # what this rank asks all to do after the next step
        self.agreed = {"signal": False, "minutes": False}  # what some rank asked for, as all know after a step

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes and speaks."""
        return self.rank == 0

    def rows(self, batch: int) -> tuple[int, int]:
        """First row and number of rows of the batch. Raises UsageError if it cannot be divided."""
        if batch % self.world:
            near = max(self.world, round(batch / self.world) * self.world)
            raise UsageError(
                f"a batch of {batch} cannot be divided among {self.world} ranks", f"use --batch-size {near}"
            )
        n = batch // self.world
        return self.rank * n, n

    def request(self, what: str, wish: bool) -> bool:
        """Ask all ranks for something; true when all know that one has asked. Alone: at once."""
        self.requests[what] = wish
        return self.agreed[what] if self.world > 1 else wish

    def average_gradients(self, nets: Sequence[Net], logs: Logs) -> Logs:  # noqa: ARG002
        """Average the gradients collected and the logs over the ranks."""
        return logs

    def synchronize(self, state: State) -> None:
        """Let batch norms take their statistics over all ranks."""

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Give the first rank's tensors to all, in place."""

    def on_first_rank(self, work: Callable[[], T]) -> T:
        """What the first rank's work gives (JSON); the others wait for it, however long it takes."""
        return work()

    def once_per_host(self, work: Callable[[], T]) -> T:
        """Work that fills a cache: one rank of each host first, then the others."""
        return work()

    def on_every_rank(self, work: Callable[[], T]) -> T:
        """Work that every rank has its share of, and that may take one of them long."""
        return work()

    def maximum(self, values: Sequence[float]) -> list[float]:
        """The largest of each value among the ranks."""
        return list(values)

    def all_gather(self, x: Tensor) -> list[Tensor]:
        """The tensors of all ranks, on the CPU; they may be of different lengths."""
        return [x]

    def device(self, name: str) -> str:
        """A device's name, with this rank's own GPU where none is said."""
        return name

    def close(self) -> None:
        """Take leave of the others."""


ALONE = Ranks()


def shard(of: range, ranks: Ranks) -> range:
    """A rank's part of a list of things to do, in their order."""
    return of[len(of) * ranks.rank // ranks.world : len(of) * (ranks.rank + 1) // ranks.world]


def rank() -> int:
    """This process's rank, by the environment alone."""
    return int(os.environ.get("RANK", "0")) if is_distributed() else 0


def is_distributed() -> bool:
    said = [os.environ.get(k, "") for k in ("RANK", "WORLD_SIZE", "MASTER_ADDR")]
    return all(said) and said[0].isdigit() and said[1].isdigit() and int(said[1]) > 1


def restarted(recorded: Any) -> bool:
    """Whether torchrun started this process again, or for the job that a run was recorded with."""
    count = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return (count.isdigit() and int(count) > 0) or (job_id() != "" and recorded == job_id())


def require_name(name: str | None) -> None:
    """Raises UsageError for a run without a name that torchrun is to start again: it could not be found."""
    if name is None and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise UsageError("a run that torchrun may start again needs a name to be found by", "add --name")


def job_id() -> str:
    """torchrun's name for the job (--rdzv-id), if it has one."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return "" if name == UNNAMED else name


@cache
def here() -> Ranks:
    """The ranks that this process is one of; the first call connects them. Raises ResourceError if they do not meet."""
    if not is_distributed():
        return ALONE
    from gancli.distributed.group import ProcessGroup

    return ProcessGroup(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", "0")))


def rank_device(name: str, local: int) -> str:
    """ "auto" and "cuda" are this rank's GPU, where there are any."""
    import torch

    if name in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{local % torch.cuda.device_count()}"
    return name
