"""Chromium, driven by selenium, on the pages of a studio."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.studio.conftest import Served

FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1", "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)  # fmt: skip
AXE = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
SECONDS = float(os.environ.get("STUDIO_SECONDS", "250"))  # that are waited for anything; a busy machine needs more
PLACE = Path(__file__).parent / "axe" / "axe.min.js"  # axe-core 4.14.1, unchanged; see README.md there


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
            found = self.violations(colors=dark)
            assert not found, f"{name}, {width} {'dark' if dark else 'light'}: {json.dumps(found, indent=1)[:3000]}"
        self.look(1200, False)

    def violations(self, colors: bool = False) -> list[dict[str, Any]]:
        """What axe-core finds: of all rules of WCAG A and AA, or of those that depend on the theme."""
        if not self.driver.execute_script("return 'axe' in window"):
            self.driver.execute_script(PLACE.read_text())
        script = (
            "return axe.run(document, {runOnly: arguments[0]}).then((r) => ({passed: r.passes.length, violations: "
            "r.violations.map((v) => ({id: v.id, nodes: v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200) + ' ' + "
            "n.failureSummary.slice(0, 300))}))}))"
        )
        only = {"type": "rule", "values": ["color-contrast"]} if colors else {"type": "tag", "values": AXE}
        found = self.driver.execute_script(script, only)
        assert found["passed"] >= (1 if colors else 5), "axe-core has looked at nothing"
        violations: list[dict[str, Any]] = found["violations"]
        return violations

    def drop(self, selector: str, *paths: Path) -> None:
        """Drop files or folders of the disk on an element, as a person does."""
        box = self.driver.execute_script(
            "arguments[0].scrollIntoView({block: 'center'}); const b = arguments[0].getBoundingClientRect(); "
            "return [b.x + b.width / 2, b.y + b.height / 2]", self.find(selector),
        )  # fmt: skip
        data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            at = {"type": kind, "x": box[0], "y": box[1], "data": data}
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", at)

    def loaded(self, selector: str) -> bool:
        """Whether an image is there, with its pixels."""
        return str(self.find(selector).get_attribute("naturalWidth")) not in ("", "0", "None")

    def trained(self, name: str) -> None:
        """Wait until a run that was started on the page has ended well."""
        self.until(lambda: self.driver.current_url.endswith(f"/runs/{name}"), "the run's page")
        self.until(lambda: "finished" in self.text("#state"), f"the end of {name}")

    def filled(self, name: str, **fields: str) -> None:
        """Fill in New run, and start."""
        self.find("#data-report [name=preset]")
        for key, value in {"name": name, "epochs": "0.05", "batch": "16", **fields}.items():
            self.type(f"#{key}", value)
        self.find("#check dl, #check .note")
        self.click("#start")

    def preset(self, name: str) -> None:
        """Choose a preset of those that suit the data."""
        self.find("#data-report [name=preset]")
        self.driver.execute_script(
            "document.querySelectorAll('#data-report details').forEach((d) => { d.open = true })"
        )
        self.click(f"#data-report input[name=preset][value='{name}']")

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


@contextlib.contextmanager
def opened(studio: Served) -> Iterator[Browser]:
    """A browser that has the studio's cookie; skips the test where there is none."""
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
