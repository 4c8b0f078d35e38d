"""The way from an empty folder to an exported model by clicking, in a browser without a network, with the accessibility of every page."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.studio.conftest import Served, pretended, started

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
AXE = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SECONDS = 250.0
PROGRAM = Path(__file__).parent / "axe" / "axe.min.js"


class Browser:
    """Chromium, in which no other host has an address."""

    def __init__(self, driver: Any, served: Served) -> None:
        self.driver, self.served = driver, served

    def open(self, path: str) -> None:
        self.driver.get(self.served.address + path)

    def find(self, selector: str) -> Any:
        return self.until(lambda: next(iter(self.driver.find_elements("css selector", selector)), None), selector)

    def until(self, look: Callable[[], Any], what: str = "", seconds: float = SECONDS) -> Any:
        end, last = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            try:
                if found := look():
                    return found
            except Exception as error:  # noqa: BLE001 - the page changes while it is looked at
                last = str(error)[:200]
            time.sleep(0.1)
        text = self.driver.find_element("css selector", "main").text[:1500]
        raise AssertionError(f"{what} did not come on {self.driver.current_url}: {text} {last} {self.served.queue()}")

    def click(self, selector: str) -> None:
        element = self.find(selector)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        self.until(lambda: element.click() is None, f"click on {selector}", 20)

    def type(self, selector: str, text: str) -> None:
        self.driver.execute_script(
            "const e = arguments[0]; e.value = arguments[1]; e.dispatchEvent(new Event('input', {bubbles: true}));"
            "e.dispatchEvent(new Event('change', {bubbles: true}))", self.find(selector), text,
        )  # fmt: skip

    def text(self, selector: str) -> str:
        return str(self.find(selector).text)

    def look(self, width: int, dark: bool) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [theme]})

    def shot(self, name: str, most: int = 1600) -> None:
        """Write a picture of the page for a person, where GAN_STUDIO_SHOTS names a folder."""
        if not (place := os.environ.get("STUDIO_SHOTS")):
            return
        size = self.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], most), "scale": 1}
        found = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        Path(place).mkdir(parents=True, exist_ok=True)
        (Path(place) / f"{name}.png").write_bytes(base64.b64decode(found["data"]))

    def check(self, name: str) -> None:
        """No violation of WCAG A or AA in both themes, and nothing wider than the page at 400 pixels."""
        for width, dark in ((1200, False), (1200, True), (400, False)):
            self.look(width, dark)
            time.sleep(0.3)
            self.shot(f"{name}-{width}{'-dark' if dark else ''}")
            wide = self.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} pixels wide"
            found = self.violations()
            assert not found, f"{name}, {width} {'dark' if dark else 'light'}: {json.dumps(found, indent=1)[:3000]}"
        self.look(1200, False)

    def violations(self) -> list[dict[str, Any]]:
        self.driver.execute_script(PROGRAM.read_text())
        script = (
            "return axe.run(document, {runOnly: arguments[0]}).then((r) => r.violations.map((v) => ({id: v.id, nodes: "
            "v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + ' ' + n.failureSummary.slice(0, 300))})))"
        )
        found: list[dict[str, Any]] = self.driver.execute_script(script, AXE)
        return found

    def outside(self) -> list[str]:
        """The addresses that were asked for and are not the studio's."""
        lines = [json.loads(line["message"])["message"] for line in self.driver.get_log("performance")]
        sent = [line["params"]["request"]["url"] for line in lines if line["method"] == "Network.requestWillBeSent"]
        own = (self.served.address + "/", "blob:", "data:", "about:", "chrome")
        return [address for address in sent if not address.startswith(own)]

    def said(self) -> list[str]:
        return [
            line["message"] for line in self.driver.get_log("browser") if "Content Security Policy" in line["message"]
        ]


pytestmark = pytest.mark.timeout(900)


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
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    process = webdriver.Chrome(options, webdriver.ChromeService(driver))
    process.set_script_timeout(60)
    try:
        found = Browser(process, studio)
        found.look(1200, False)
        process.get(f"{studio.address}/?token={studio.token}")
        yield found
    finally:
        process.quit()


def trained(browser: Browser, name: str) -> None:
    """Wait until a run that was started on the page has ended well."""
    browser.until(lambda: browser.driver.current_url.endswith(f"/runs/{name}"), "the run's page")
    browser.until(lambda: "finished" in browser.text("#state"), f"the end of {name}")


def filled(browser: Browser, name: str, data: str, **more: str) -> None:
    """Fill in New run, and start."""
    if data:
        browser.type("#data", data)
    browser.find("#data-report [name=preset]")
    for key, value in {"name": name, "epochs": "0.05", "batch": "16", **more}.items():
        browser.type(f"#{key}", value)
    browser.find("#check dl, #check .note")
    browser.click("#start")


def preset(browser: Browser, name: str) -> None:
    browser.find("#data-report [name=preset]")
    browser.driver.execute_script("document.querySelectorAll('#data-report details').forEach((d) => { d.open = true })")
    browser.click(f"#data-report input[name=preset][value='{name}']")


def test_from_an_empty_folder_to_an_exported_model(browser: Browser, studio: Served) -> None:
    browser.check("first")
    browser.click("#first")
    browser.until(lambda: browser.driver.find_elements("css selector", "#run"), "the run")
    name = browser.driver.current_url.rpartition("/")[2]
    browser.until(
        lambda: browser.find("#preview-image").get_attribute("naturalWidth") not in ("", "0"), "the first preview"
    )
    assert (studio.runs / name).is_dir()
    browser.click("#stop-form button")
    browser.until(lambda: "stopped" in browser.text("#state"), "the stop")
    browser.until(lambda: not browser.find("figure[data-kind=losses] .plot").get_attribute("hidden"), "the curves")
    assert "1" in browser.text("figure[data-kind=losses] table") or browser.driver.find_elements(
        "css selector", "figure[data-kind=losses] tr[data-row]"
    )
    browser.check("run")
    browser.open(f"/runs/{name}/draw")
    browser.until(lambda: browser.find("#made img").get_attribute("naturalWidth") not in ("", "0"), "samples")
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
    browser.driver.execute_script("document.getElementById('options').open = true")
    browser.find("#o-task-loss")
    browser.type("#o-task-loss", "hinge")
    browser.until(lambda: "task.loss" in browser.text("#check"), "the departure")
    browser.check("new")
    filled(browser, "dropped", "")
    trained(browser, "dropped")
    assert json.loads((studio.runs / "dropped" / "config.json").read_text())["task"]["loss"]["name"] == "hinge"
    names = [r["name"] for r in studio.get("/api/runs")["runs"]]
    browser.open("/compare?runs=" + "%7C".join(names[:2]))
    browser.find("#compared table")
    assert "task.loss.name" in browser.text("#compared")
    assert "evaluate" in browser.text("#compared")
    browser.check("compare")
    browser.open("/queue")
    browser.check("queue")
    browser.open("/about")
    browser.check("about")


def test_restoration_with_a_painted_mask(browser: Browser, tmp_path: Path) -> None:
    browser.open("/new")
    browser.type("#size", "16")
    browser.type("#data", "digits")
    preset(browser, "inpaint")
    filled(browser, "holes", "", epochs="0.01", batch="4")
    trained(browser, "holes")
    Image.fromarray(np.full((16, 16), 200, np.uint8)).save(tmp_path / "one.png")
    browser.open("/runs/holes/draw")
    browser.find("#picture-file").send_keys(str(tmp_path / "one.png"))
    canvas = browser.find("#paint-canvas")
    browser.until(lambda: canvas.get_attribute("data-ready"), "the canvas")
    canvas.send_keys(" ")
    browser.until(lambda: browser.find("#mask").get_attribute("value"), "the mask")
    browser.click("#apply-form button.main")
    browser.find("#made .compare")
    browser.check("restore")


def test_the_page_says_that_the_server_is_gone_and_goes_on(browser: Browser, studio: Served) -> None:
    browser.open("/runs/holes")
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
