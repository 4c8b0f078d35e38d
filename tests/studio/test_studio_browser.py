"""The way from an empty folder to an exported model by clicking, in a browser without a network, with the accessibility of every page."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.studio.browser import SECONDS, Browser, opened
from tests.studio.conftest import Served, pretended, started

pytestmark = pytest.mark.timeout(4 * SECONDS)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("clicked")
    found = started(place)
    try:
        yield found
    finally:
        found.end()


@pytest.fixture(scope="module")
def browser(studio: Served) -> Iterator[Browser]:
    with opened(studio) as found:
        yield found


def test_from_an_empty_folder_to_an_exported_model(browser: Browser, studio: Served) -> None:
    browser.check("first")
    browser.click("#first")
    browser.until(lambda: browser.driver.find_elements("css selector", "#run"), "the run")
    name = browser.driver.current_url.rpartition("/")[2]
    browser.until(lambda: browser.loaded("#preview-image"), "the first preview")
    assert (studio.runs / name).is_dir()
    browser.click("#stop-form button")
    browser.until(lambda: "stopped" in browser.text("#state"), "the stop")
    assert not browser.find("#queued").is_displayed(), browser.text("#queued")
    browser.until(lambda: not browser.find("figure[data-kind=losses] .plot").get_attribute("hidden"), "the curves")
    assert "1" in browser.text("figure[data-kind=losses] table") or browser.driver.find_elements(
        "css selector", "figure[data-kind=losses] tr[data-row]"
    )
    browser.check("run")
    browser.open(f"/runs/{name}/draw")
    browser.until(lambda: browser.loaded("#made img"), "samples")
    first = browser.find("#made img").get_attribute("src")
    browser.type("#labels", "3")
    browser.until(lambda: browser.find("#made img").get_attribute("src") != first, "samples of a class")
    assert "--labels 3" in browser.text("#sample-shell")
    browser.check("draw")
    file = next(studio.runs.glob(".studio/made/*.png"))
    browser.type("#seeds", "5")
    browser.find("#recipe").send_keys(str(file))
    browser.until(lambda: browser.find("#seeds").get_attribute("value") == "0-15", "the recipe")
    browser.open(f"/runs/{name}/export")
    browser.click("input[value=hub]")
    browser.click("main form button.main")
    browser.until(lambda: "hub" in browser.text("#exported table"), "the export")
    browser.check("export")
    browser.open("/")
    browser.check("runs")
    assert browser.outside() == []
    assert browser.said() == []


def test_new_run_with_dropped_files_and_a_departure(browser: Browser, studio: Served, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label in (0, 1):
        (tmp_path / "mine" / f"kind{label}").mkdir(parents=True)
        for i, image in enumerate(digits.images[digits.target == label][:30]):
            Image.fromarray((image * 15).astype(np.uint8)).save(tmp_path / "mine" / f"kind{label}" / f"{i}.png")
    browser.open("/new")
    browser.find("#pick-folder").send_keys(str(tmp_path / "mine"))
    browser.find("#data-report [name=preset]")
    assert "kind0" in browser.text("#data-report")
    assert browser.find("#data").get_attribute("value") == "dropped: mine"
    browser.driver.execute_script("document.getElementById('options').open = true")
    browser.find("#o-task-loss")
    browser.type("#o-task-loss", "hinge")
    browser.until(lambda: "task.loss" in browser.text("#check"), "the departure")
    browser.check("new")
    browser.until(
        lambda: "gan train --data runs/.studio/uploads/" in browser.text("#command"), "the command for a shell"
    )
    browser.filled("dropped")
    browser.trained("dropped")
    assert "mine:" in browser.text(".facts")
    assert json.loads((studio.runs / "dropped" / "config.json").read_text())["task"]["loss"]["name"] == "hinge"
    names = [r["name"] for r in studio.get("/api/runs")["runs"]]
    browser.open("/compare?runs=" + "%7C".join(names[:2]))
    browser.find("#compared table")
    assert "task.loss.name" in browser.text("#compared")
    assert "gan evaluate" in browser.text("#compared")
    assert str(studio.place) not in browser.text("main")
    browser.check("compare")
    browser.open("/queue")
    browser.check("queue")
    browser.open("/about")
    browser.check("about")


def test_the_page_says_that_the_server_is_gone_and_goes_on(browser: Browser, studio: Served) -> None:
    browser.open("/runs/dropped")
    browser.find("#state")
    studio.end(signal.SIGKILL)
    browser.until(lambda: "ended" in browser.find("#lost").text, "the words", 30)
    again = started(studio.place, "--port", str(studio.port))
    studio.process = again.process
    assert again.token == studio.token
    browser.until(lambda: not browser.find("#lost").text and "finished" in browser.text("#state"), "the page", 40)


def test_a_long_run_is_redrawn_at_once(browser: Browser, studio: Served) -> None:
    pretended(studio.runs, "long", lines=100_000)
    browser.open("/runs/long")
    browser.until(lambda: browser.driver.execute_script("return window.runPage?.state().rows") == 100_000, "the curves")
    script = "const t = performance.now(); for (let i = 0; i < 5; i++) window.runPage.draw(); return (performance.now() - t) / 5"
    milliseconds = float(browser.driver.execute_script(script))
    rows = browser.driver.execute_script("return window.runPage.state().columns['loss/D'].length")
    assert rows <= 3000
    assert milliseconds < 2000  # it takes about 20; benchmarks/studio.py measures it
