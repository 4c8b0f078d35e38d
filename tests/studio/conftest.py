"""A studio as a process of its own, and requests to it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

for needed in ("starlette", "uvicorn", "jinja2"):
    pytest.importorskip(needed)


@dataclass
class Answered:
    code: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Served:
    """A running studio."""

    process: subprocess.Popen[str]
    place: Path  # the folder where it was started; its runs are in "runs"
    port: int
    token: str
    said: str
    own: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        return self.place / "runs"

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def raw(self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None) -> Answered:
        """A request with these headers alone, and the path as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.putrequest(method, path, skip_host="Host" in (headers or {}), skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            if body is not None and "Content-Length" not in (headers or {}):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            found = connection.getresponse()
            return Answered(found.status, found.read(), {k.lower(): v for k, v in found.getheaders()})
        finally:
            connection.close()

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Answered:
        """A request of a program, with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        if body is None or isinstance(body, bytes):
            return self.raw(method or "GET", path, headers, body)
        return self.raw(
            method or "POST", path, {**headers, "Content-Type": "application/json"}, json.dumps(body).encode()
        )

    def get(self, path: str) -> Any:
        found = self.ask(path)
        assert found.code == 200, found.text
        return found.json()

    def post(self, path: str, body: Any = None) -> Any:
        found = self.ask(path, body or {}, "POST")
        assert found.code == 200, found.text
        return found.json()

    def until(self, look: Callable[[], Any], seconds: float = 250.0) -> Any:
        """What `look` returns as soon as it is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(OSError, AssertionError):
                if found := look():
                    return found
            time.sleep(0.1)
        raise AssertionError(f"nothing came in {seconds} s; {self.queue()}")

    def queue(self) -> list[dict[str, Any]]:
        with contextlib.suppress(OSError):
            return list(self.ask("/api/queue").json()["entries"])
        return []

    def end(self, number: int = signal.SIGTERM) -> None:
        """End the server; unless it is killed, what it started too: by itself that would go on."""
        if number == signal.SIGTERM:
            for entry in self.queue():
                if entry["state"] in ("waiting", "running"):
                    self.ask(f"/api/queue/{entry['id']}/cancel", {})
        self.process.send_signal(number)
        self.process.wait(60)
        if self.process.stdout is not None:
            self.process.stdout.close()


def started(place: Path, *words: str) -> Served:
    """Start a studio in a folder, and wait until it listens."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GAN_")}
    own = {"GAN_CACHE_DIR": str(place / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-m", "gancli", "studio", "--no-browser", "--port", "0", *words],
        cwd=place, env=kept | own, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while (match := re.search(r"http://[^:]+:(\d+)/\?token=(\w+)", said)) is None:
        line = process.stdout.readline()
        assert line, said
        said += line
    return Served(process, place, int(match[1]), match[2], said)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A studio of an empty folder."""
    found = started(tmp_path_factory.mktemp("studio"))
    try:
        yield found
    finally:
        found.end()


def pretended(runs: Path, name: str, lines: int = 20, **status: Any) -> Path:
    """A run folder as training leaves it, without a checkpoint."""
    path = runs / name
    (path / "samples").mkdir(parents=True)
    config = {
        "preset": "textbook", "data": {"source": {"name": "digits"}}, "task": {"name": "generate", "loss": {"name": "hinge"}},
        "optimizer": {"name": "adam"}, "batch_size": 64,
    }  # fmt: skip
    (path / "config.json").write_text(json.dumps(config))
    found = {
        "state": "finished",
        "reason": "images",
        "pid": 1,
        "host": "x",
        "step": lines,
        "images": 10 * lines,
        "total": 10 * lines,
    }
    (path / "status.json").write_text(json.dumps(found | status))
    journal = (
        {
            "step": i + 1,
            "images": 10 * i + 10,
            "epoch": i / 10,
            "seconds": i / 5,
            "loss/D": 1 + (i % 7) / 10,
            "loss/G": 2.0 - i / lines,
        }
        for i in range(lines)
    )
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in journal))
    (path / "log.txt").write_text("run begins\n")
    return path
