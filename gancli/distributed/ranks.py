"""Ranks: the processes of a distributed run. The base class is a single rank, and does not import torch.distributed.

The batch size is the total over all ranks: rank r of w has the rows r N / w to (r + 1) N / w - 1. Rank and world size come from
the environment variables of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), which other launchers can set, too.
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
UNNAMED = "none"  # the job id that torchrun sets if none is given


class Ranks:
    """A single rank, which has the whole batch. `ProcessGroup` overrides the methods for several ranks.

    Attributes:
        rank: index of this process.
        world: number of processes.
        local: index among the processes of this host.
        group: for statistics of a divided batch; None: a single rank.
        requests: what this rank asks all ranks to do after the next step, by name.
        agreed: what some rank had requested as of the last step, the same on all ranks.
    """

    rank, world, local = 0, 1, 0
    group: Group | None = None

    def __init__(self) -> None:
        self.requests = {"signal": False, "minutes": False, "save": False}
        self.agreed = dict(self.requests)

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which writes files and reports."""
        return self.rank == 0

    def rows(self, batch: int) -> tuple[int, int]:
        """This rank's rows of a batch.

        Args:
            batch: size of the batch.

        Returns:
            First row and number of rows.

        Raises:
            UsageError: the size is not a multiple of the number of ranks.
        """
        if batch % self.world:
            near = max(self.world, round(batch / self.world) * self.world)
            raise UsageError(
                f"a batch of {batch} cannot be divided among {self.world} ranks", f"use --batch-size {near}"
            )
        n = batch // self.world
        return self.rank * n, n

    def request(self, what: str, value: bool) -> bool:
        """Set a request to all ranks, such as to stop.

        Args:
            what: name of the request.
            value: whether this rank requests it.

        Returns:
            Whether any rank had requested it as of the last step, the same on all ranks. With a single rank: `value`.
        """
        self.requests[what] = value
        return self.agreed[what] if self.world > 1 else value

    def average_gradients(self, nets: Sequence[Net], logs: Logs) -> Logs:  # noqa: ARG002
        """Average gradients, in place, and logs over the ranks.

        Args:
            nets: whose gradients to average.
            logs: scalars by key.

        Returns:
            The averaged logs.
        """
        return logs

    def synchronize(self, state: State) -> None:
        """Replace batch norms by synchronized ones, in place."""

    def broadcast(self, tensors: Iterable[Tensor]) -> None:
        """Broadcast tensors of rank 0 to all ranks, in place."""

    def on_first_rank(self, work: Callable[[], T]) -> T:
        """Run work on rank 0, while the other ranks wait without time limit.

        Args:
            work: returns a JSON value.

        Returns:
            The result, on all ranks.

        Raises:
            ResourceError: the work failed on another rank.
        """
        return work()

    def once_per_host(self, work: Callable[[], T]) -> T:
        """Run work that fills a cache: on one rank of each host, then on the others. Returns each rank's own result."""
        return work()

    def on_every_rank(self, work: Callable[[], T]) -> T:
        """Run work on all ranks, each waiting without time limit for the others. Returns each rank's own result."""
        return work()

    def maximum(self, values: Sequence[float]) -> list[float]:
        """The elementwise maximum over the ranks."""
        return list(values)

    def all_gather(self, x: Tensor) -> list[Tensor]:
        """Gather CPU tensors [n, ...] of all ranks, whose lengths n may differ."""
        return [x]

    def device(self, name: str) -> str:
        """The device of this rank: `name`, or its own GPU if `name` is auto or cuda."""
        return name

    def close(self) -> None:
        """Wait for all ranks and disconnect."""


ALONE = Ranks()


def shard(of: range, ranks: Ranks) -> range:
    """A rank's contiguous part of a range of work items."""
    return of[len(of) * ranks.rank // ranks.world : len(of) * (ranks.rank + 1) // ranks.world]


def rank() -> int:
    """This process's rank according to the environment, without connecting."""
    return int(os.environ.get("RANK", "0")) if is_distributed() else 0


def is_distributed() -> bool:
    """Whether the environment describes several ranks."""
    rank, world, address = (os.environ.get(k, "") for k in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
    return address != "" and rank.isdigit() and world.isdigit() and int(world) > 1


def restarted(recorded: Any) -> bool:
    """Whether torchrun restarted this process, or submitted the same job again.

    Args:
        recorded: the job id in the run's status, if any.
    """
    count = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return (count.isdigit() and int(count) > 0) or (job_id() != "" and recorded == job_id())


def require_name(name: str | None) -> None:
    """Check that a run has a name, without which it could not be resumed, if torchrun may restart it.

    Args:
        name: of the run, or None.

    Raises:
        UsageError: it has none.
    """
    if name is None and os.environ.get("TORCHELASTIC_MAX_RESTARTS", "0") != "0":
        raise UsageError("a run needs a name if torchrun may restart it", "add --name")


def job_id() -> str:
    """The job id of torchrun (--rdzv-id), or ""."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "")
    return "" if name == UNNAMED else name


@cache
def here() -> Ranks:
    """The ranks of this run; the first call connects them.

    Returns:
        `ALONE`, or the process group.

    Raises:
        ResourceError: not all ranks start in time.
    """
    if not is_distributed():
        return ALONE
    from gancli.distributed.group import ProcessGroup

    return ProcessGroup(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", "0")))


def rank_device(name: str, local: int) -> str:
    """The device name for a rank: its own GPU if `name` is "auto" or "cuda" and there are any, else `name`."""
    import torch

    if name in ("auto", "cuda") and torch.cuda.is_available():
        return f"cuda:{local % torch.cuda.device_count()}"
    return name
