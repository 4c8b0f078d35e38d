"""kill -9 of the server, the trainer, the runner of the queue, the process that works for pages, and the browser, at random moments.

    python tests/soak/studio.py --place /tmp/x --kills 30 --seed 0

A training that is started on a page is killed again and again, and resumed by the page's button (its request). In the end its journal
must equal that of a training that nobody disturbed, and after every kill the studio must say what is.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "studio"))

from conftest import Served, started

OPTIONS = {
    "data": "digits",
    "preset": "textbook",
    "batch": "16",
    "o.intervals.save": "1600",
    "o.intervals.log": "20",
    "o.runtime.threads": "1",
}
SAID = {"running", "saving", "interrupted", "stopped", "finished"}


def browser(address: str) -> Any:
    """Chromium on a page of the studio; None where it is not installed."""
    if not shutil.which("chromium") or not shutil.which("chromedriver"):
        return None
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.get(address)
    return driver


def until(look: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError, AssertionError, KeyError):
            if found := look():
                return found
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come in {seconds} s")


def descendants(pid: int) -> list[int]:
    """The processes that a process started."""
    table = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(a), int(b)) for a, b, *_ in (line.split(None, 2) for line in table.splitlines())]
    out, todo = [], [pid]
    while todo:
        at = todo.pop()
        found = [a for a, b in rows if b == at]
        out += found
        todo += found
    return out


def pids(words: str) -> list[int]:
    """The processes of this user whose arguments contain some words."""
    table = subprocess.run(["ps", "-e", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout
    return [int(line.split(None, 1)[0]) for line in table.splitlines() if words in line and "ps -e" not in line]


def losses(path: Path) -> list[tuple[Any, ...]]:
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss/D"], line["loss/G"]) for line in lines]


class Soak:
    def __init__(self, place: Path, seed: int, epochs: str) -> None:
        self.random = random.Random(seed)
        self.place, self.epochs = place, epochs
        self.studio: Served = started(place)
        self.counts: Counter[str] = Counter()
        self.driver: Any = None

    def state(self) -> str:
        return str(self.studio.get("/api/runs/killed")["state"])

    def page(self) -> None:
        self.driver = browser(f"{self.studio.address}/runs/killed?token={self.studio.token}")

    def kill(self) -> None:
        """Kill something, and see that the studio says what is."""
        trainer = pids("gancli train --data digits --preset textbook") + pids(
            f"gancli resume {self.studio.runs}/killed"
        )
        victims = {
            "server": [self.studio.process.pid],
            "trainer": trainer[:1],
            "runner": pids(f"gancli.studio.runner {self.studio.runs}"),
        }
        victims["pages"] = [p for p in descendants(self.studio.process.pid) if p not in trainer][:1]
        if self.driver is not None:
            victims["browser"] = descendants(self.driver.service.process.pid)[:1]
        what = self.random.choice(sorted(v for v, found in victims.items() if found))
        before = self.state()
        for pid in victims[what]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.counts[what] += 1
        if what == "server":
            self.studio.process.wait(20)
            again = started(self.place, "--port", str(self.studio.port))
            assert again.token == self.studio.token
            assert self.studio.process.stdout is not None
            self.studio.process.stdout.close()
            self.studio = again
            assert (
                not trainer or before not in ("running", "saving") or self.state() in ("running", "saving", "finished")
            )
        if what == "browser":
            with contextlib.suppress(Exception):
                self.driver.quit()
            self.page()
            until(lambda: self.driver.find_element("id", "state").text, "the page in a new browser")
        said = self.state()
        assert said in SAID, said
        print(f"{sum(self.counts.values())}: killed {what}, {before} -> {said}", flush=True)

    def go_on(self) -> None:
        """Resume, where the training was killed: what a person does when the page says `interrupted`."""
        if self.state() == "interrupted":
            until(lambda: not any(e["state"] == "running" for e in self.studio.queue()), "the end of the entry")
            self.studio.post("/api/runs/killed/resume")
            until(lambda: self.state() in ("running", "saving", "finished"), "the resume")

    def run(self, kills: int) -> dict[str, Any]:
        for name in ("reference", "killed"):
            self.studio.post("/api/train", {**OPTIONS, "epochs": self.epochs, "name": name})
            if name == "reference":
                until(lambda: self.studio.get("/api/runs/reference")["state"] == "finished", "the reference", 1500)
        until(lambda: self.state() == "running", "the training")
        self.page()
        while sum(self.counts.values()) < kills and self.state() != "finished":
            time.sleep(self.random.uniform(0.2, 4))
            self.kill()
            self.go_on()
        while self.state() != "finished":
            self.go_on()
            time.sleep(1)
        same = losses(self.studio.runs / "killed") == losses(self.studio.runs / "reference")
        two = started(self.place)
        both = two.get("/api/runs")["runs"] == self.studio.get("/api/runs")["runs"]
        two.end()
        if self.driver is not None:
            self.driver.quit()
        left = [e["state"] for e in self.studio.queue()]
        self.studio.end()
        return {
            "kills": sum(self.counts.values()),
            **self.counts,
            "journal equals the reference": same,
            "two servers agree": both,
            "queue": left,
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", default="3")
    options = parser.parse_args()
    options.place.mkdir(parents=True)
    found = Soak(options.place, options.seed, options.epochs).run(options.kills)
    print(json.dumps(found))
    sys.exit(0 if found["journal equals the reference"] and found["two servers agree"] else 1)


if __name__ == "__main__":
    main()
