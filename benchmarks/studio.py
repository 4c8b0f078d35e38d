"""The studio's speed and size: first page, memory with 500 runs, redraw of a long run, and what watching costs the training.

    python benchmarks/studio.py --place /tmp/x

Times are wall-clock times on this machine; what else runs on it counts.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def run_folder(path: Path, lines: int) -> None:
    """A finished run with a journal of so many lines."""
    (path / "samples").mkdir(parents=True)
    config = {
        "preset": "textbook",
        "data": {"source": {"name": "digits"}},
        "task": {"name": "generate"},
        "optimizer": {"name": "adam"},
    }
    (path / "config.json").write_text(json.dumps(config))
    status = {
        "state": "finished",
        "reason": "images",
        "pid": 1,
        "host": "x",
        "step": lines,
        "images": lines,
        "total": lines,
    }
    (path / "status.json").write_text(json.dumps(status))
    keys = [
        "loss/D",
        "loss/G",
        "logit/D/real",
        "logit/D/fake",
        "grad/D",
        "grad/G",
        "update/D",
        "update/G",
        "d_loss",
        "g_loss",
    ]
    with (path / "metrics.jsonl").open("w") as file:
        for i in range(lines):
            line: dict[str, Any] = {"step": i + 1, "images": i + 1, "epoch": i / 100, "seconds": i / 10}
            file.write(json.dumps(line | {k: 1 + (i * 7919 + n) % 1000 / 999 for n, k in enumerate(keys)}) + "\n")


class Studio:
    """A studio in a process of its own."""

    def __init__(self, place: Path) -> None:
        start = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "gancli", "studio", "--no-browser", "--port", "0"]
        self.process = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r":(\d+)/\?token=(\w+)", line)
        assert found is not None, line
        self.port, self.token = int(found[1]), found[2]
        self.get("/")
        self.first = time.perf_counter() - start

    def get(self, path: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=100)
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return content

    def memory(self) -> float:
        """Resident memory of the server in MB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", text)
        assert found is not None
        return int(found[1]) / 1024

    def cpu(self) -> float:
        """Seconds of processor time of the server."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


def watch(studio: Studio, name: str, ended: threading.Event) -> None:
    """Read the events of a run as a page does."""
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=100)
    connection.request("GET", f"/api/runs/{name}/events?rows=0", headers={"Authorization": f"Bearer {studio.token}"})
    answer = connection.getresponse()
    with contextlib.suppress(OSError):
        while not ended.is_set() and answer.readline():
            pass
    connection.close()


def training(place: Path, name: str) -> tuple[subprocess.Popen[bytes], float]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    words = ["--data", "digits", "--name", name, "--max-steps", "100000", "--threads", "1", "--set", "intervals.log=10"]
    command = [sys.executable, "-m", "gancli", "train", *words, "--quiet"]
    return subprocess.Popen(command, cwd=place, env=environment), time.perf_counter()


def cost_of_watching(place: Path, studio: Studio, turns: int, seconds: float) -> dict[str, float]:
    """Processor time of the server and speed of the training in turns with and without two pages that watch."""
    process, _ = training(place, "watched")
    path = place / "runs" / "watched" / "metrics.jsonl"
    while not path.is_file() or path.stat().st_size < 4000:
        time.sleep(0.2)

    def steps() -> int:
        return int(json.loads(path.read_bytes().splitlines()[-1])["step"])

    counts, cpu = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for turn in range(2 * turns):
        watched = turn % 2 == 1
        ended = threading.Event()
        readers = (
            [threading.Thread(target=watch, args=(studio, "watched", ended), daemon=True) for _ in range(2)]
            if watched
            else []
        )
        for reader in readers:
            reader.start()
        time.sleep(1.5)
        first, used = steps(), studio.cpu()
        time.sleep(seconds)
        counts[watched] += steps() - first
        cpu[watched] += studio.cpu() - used
        ended.set()
    process.terminate()
    process.wait(60)
    return {
        "steps alone": counts[False], "steps watched": counts[True], "speed lost, %": round(100 * (1 - counts[True] / counts[False]), 2),
        "server cpu watched, % of a core": round(100 * cpu[True] / (turns * seconds), 2),
    }  # fmt: skip


REDRAW = """
const done = arguments[arguments.length - 1], box = document.getElementById("log"), start = performance.now();
box.checked = !box.checked;
box.dispatchEvent(new Event("input"));
const script = performance.now() - start, channel = new MessageChannel();
channel.port1.onmessage = () => done([script, performance.now() - start]);
requestAnimationFrame(() => channel.port2.postMessage(0));
"""


def redraws(studio: Studio, name: str, times: int) -> dict[str, Any]:
    """Milliseconds from a change of the charts' scale to the painted page, in a Chromium without a GPU; needs selenium."""
    try:
        from selenium import webdriver
    except ImportError:
        return {"redraw, ms": "selenium is not installed"}
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        return {"redraw, ms": "chromium and chromedriver are not installed"}
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
    ):
        options.add_argument(flag)
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        browser.get(f"http://127.0.0.1:{studio.port}/?token={studio.token}")
        browser.get(f"http://127.0.0.1:{studio.port}/runs/{name}")
        while not browser.execute_script("return window.runPage && Object.keys(runPage.state().columns).length > 0"):
            time.sleep(0.2)
        time.sleep(2)
        found = [browser.execute_async_script(REDRAW) for _ in range(times)]
    finally:
        browser.quit()
    scripts, painted = (sorted(round(values[i]) for values in found) for i in (0, 1))
    return {"redraw, script, ms": scripts, "redraw, painted, ms": painted}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15)
    options = parser.parse_args()
    empty, full = options.place / "empty", options.place / "full"
    for folder in (empty, full):
        folder.mkdir(parents=True, exist_ok=True)
    out: dict[str, Any] = {"load": os.getloadavg()[0]}
    firsts = []
    for _ in range(3):
        studio = Studio(empty)
        firsts.append(round(studio.first, 2))
        studio.end()
    out["first page of an empty folder, s"] = firsts
    if not (full / "runs" / f"run{options.runs - 1}").is_dir():
        run_folder(full / "runs" / "run0", options.lines)
        for i in range(1, options.runs):
            shutil.copytree(full / "runs" / "run0", full / "runs" / f"run{i}")
        run_folder(full / "runs" / "long", 100_000)
    studio = Studio(full)
    out[f"first page with {options.runs} runs, s"] = round(studio.first, 2)
    start = time.perf_counter()
    studio.get("/")
    out["second page, s"] = round(time.perf_counter() - start, 2)
    for page in range(1, 1 + options.runs // 50):
        studio.get(f"/?page={page}")
    for i in range(20):
        studio.get(f"/api/runs/run{i}/series")
    start = time.perf_counter()
    content = studio.get("/api/runs/long/series?points=3000")
    out["100,000 points read first, s"] = round(time.perf_counter() - start, 2)
    start = time.perf_counter()
    studio.get("/api/runs/long/series?points=3000")
    out["100,000 points thinned again, s"] = round(time.perf_counter() - start, 3)
    out["their size, kB"] = len(content) // 1000
    out["memory of the server, MB"] = round(studio.memory(), 1)
    out |= redraws(studio, "long", 12)
    out |= cost_of_watching(full, studio, options.turns, options.seconds)
    studio.end()
    sys.stdout.write(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
