"""Two "hosts" on one machine: two network namespaces with a cable between them. Needs root and `ip`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from types import TracebackType
from typing import Self

NARROW = ["--set", "task.model.g_widths=[8]", "--set", "task.model.d_widths=[8]", "--batch-size", "16"]
OFTEN = [
    "--set",
    "intervals.log=1",
    "--set",
    "intervals.save=320",
    "--set",
    "intervals.sample=1000000",
    "--device",
    "cpu",
]


def train_words(name: str, steps: int) -> list[str]:
    return ["train", "--data", "digits", "--name", name, "--max-steps", str(steps), *NARROW, *OFTEN]


def torchrun(*options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", *options, "-m", "gancli"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def why_not() -> str:
    """Why no namespaces can be made here; "" if they can."""
    if shutil.which("ip") is None:
        return "needs the command ip"
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    name = f"gan{os.getpid()}x"
    try:
        ip("netns", "add", name)
        ip("netns", "del", name)
        ip("link", "add", f"g{os.getpid()}x", "type", "veth", "peer", "name", f"g{os.getpid()}y")
        ip("link", "del", f"g{os.getpid()}x")
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.strip()}"
    return ""


class Hosts:
    """`with Hosts() as hosts:` two hosts of one rank each, 10.77.0.1 and 10.77.0.2."""

    def __init__(self) -> None:
        self.names = [f"gan{os.getpid()}{x}" for x in "ab"]
        self.links = [f"g{os.getpid()}{x}" for x in "ab"]
        self.jobs: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", self.links[0], "type", "veth", "peer", "name", self.links[1])
        for i, (name, link) in enumerate(zip(self.names, self.links, strict=True)):
            ip("link", "set", link, "netns", name)
            ip("-n", name, "addr", "add", f"10.77.0.{i + 1}/24", "dev", link)
            for device in (link, "lo"):
                ip("-n", name, "link", "set", device, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for job in self.jobs:
            if job.poll() is None:
                job.kill()
                job.wait()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def start(self, words: list[str], attempt: int, ranks: int = 1) -> list[subprocess.Popen[bytes]]:
        """The same command on both hosts, under torchrun."""
        jobs = []
        for i, (name, link) in enumerate(zip(self.names, self.links, strict=True)):
            options = [f"--nnodes=2 --nproc-per-node={ranks} --node-rank={i} --master-addr=10.77.0.1"]
            where = [*options[0].split(), f"--master-port={29600 + attempt}"]
            env = {**os.environ, "GLOO_SOCKET_IFNAME": link, "OMP_NUM_THREADS": "1"}
            job = subprocess.Popen(["ip", "netns", "exec", name, *torchrun(*where), *words], env=env)
            jobs.append(job)
        self.jobs += jobs
        return jobs

    def cut(self) -> None:
        """Pull the cable out: nothing is said to either end."""
        ip("-n", self.names[1], "link", "set", self.links[1], "down")

    def mend(self) -> None:
        ip("-n", self.names[1], "link", "set", self.links[1], "up")
