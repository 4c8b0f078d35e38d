"""Translation, restoration and text by clicking: from dropped data to an exported model, with what each can be asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.studio.browser import SECONDS, Browser, opened
from tests.studio.conftest import Served, started

pytestmark = pytest.mark.timeout(4 * SECONDS)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("ways")
    found = started(place)
    try:
        yield found
    finally:
        found.end()


@pytest.fixture(scope="module")
def browser(studio: Served) -> Iterator[Browser]:
    with opened(studio) as found:
        yield found


def pictures(folder: Path, n: int, size: int, hue: int) -> Path:
    """A folder of small pictures: blots of one color."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(hue)
    for i in range(n):
        image = np.full((size, size, 3), 30, np.uint8)
        x, y = rng.integers(0, size // 2, 2)
        image[y : y + size // 2, x : x + size // 2, hue] = 220
        Image.fromarray(image).save(folder / f"{'abc'[hue]}{i}.png")
    return folder


def exported(browser: Browser, name: str, form: str) -> None:
    """Export a run on its page, and see the file there."""
    browser.open(f"/runs/{name}/export")
    browser.click(f"input[value={form}]")
    browser.click("main form button.main")
    browser.until(lambda: form in browser.text("#exported table"), "the export")


def test_translation_between_two_folders(browser: Browser, studio: Served, tmp_path: Path) -> None:
    browser.open("/new")
    browser.type("#size", "16")
    for domain, name, hue in (("trainA", "red", 0), ("trainB", "blue", 2)):
        browser.type("#domain", domain)
        browser.drop("#drop", pictures(tmp_path / name, 8, 16, hue))
        browser.until(
            lambda domain=domain: f"{domain} is there" in browser.text("#upload-state"), f"the files of {domain}"
        )
    browser.until(lambda: browser.find("#data").get_attribute("value") == "dropped: red to blue", "the name")
    browser.until(lambda: browser.driver.find_elements("css selector", "input[value=fastcut]"), "the presets")
    browser.preset("fastcut")
    browser.filled("tinted", epochs="0.002", batch="2")
    browser.trained("tinted")
    assert "red to blue:" in browser.text(".facts")
    browser.open("/runs/tinted/draw")
    browser.drop("#picture-drop", tmp_path / "red" / "a0.png")
    browser.until(
        lambda: browser.loaded("#made .compare > img") and browser.loaded("#made .after img"), "before and after"
    )
    browser.type("#compare-range", "20")
    clip = browser.driver.execute_script("return document.querySelector('.compare .after').style.clipPath")
    assert clip == "inset(0px 80% 0px 0px)"
    browser.check("apply")
    exported(browser, "tinted", "hub")
    model = studio.runs / ".studio" / "exports" / "tinted" / "tinted-hub"
    assert (model / "model.safetensors").is_file()
    assert browser.outside() == []
    assert browser.said() == []


def test_restoration_with_a_mask_and_the_dial(browser: Browser, studio: Served, tmp_path: Path) -> None:
    browser.open("/new")
    browser.type("#size", "16")
    browser.drop("#drop", pictures(tmp_path / "blots", 24, 16, 1))
    browser.preset("inpaint")
    browser.filled("holes", epochs="0.004", batch="4")
    browser.trained("holes")
    browser.open("/runs/holes/draw")
    browser.find("#picture-file").send_keys(str(tmp_path / "blots" / "b0.png"))
    canvas = browser.find("#paint-canvas")
    browser.until(lambda: canvas.get_attribute("data-ready"), "the canvas")
    assert canvas.size["width"] >= 300, "16 pixels are large enough to paint on"
    action = __import__("selenium.webdriver", fromlist=["ActionChains"]).ActionChains(browser.driver)
    action.move_to_element(canvas).click_and_hold().move_by_offset(3, 3).release().perform()
    browser.until(lambda: browser.find("#mask").get_attribute("value"), "the painted mask")
    painted = browser.find("#mask").get_attribute("value")
    browser.click("#apply-form button.main")
    browser.until(lambda: browser.loaded("#made .compare > img"), "the result")
    first = browser.find("#made .compare > img").get_attribute("src")
    browser.type("#a-realism", "1")
    browser.until(lambda: browser.find("#made .compare > img").get_attribute("src") != first, "a more realistic result")
    browser.check("restore")
    hole = np.zeros((16, 16), np.uint8)
    hole[4:12, 4:12] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    browser.find("#mask-file").send_keys(str(tmp_path / "hole.png"))
    browser.until(lambda: browser.text("#paint-said").startswith("25.0 %"), "the share of the mask")
    browser.until(lambda: browser.find("#mask").get_attribute("value") != painted, "the mask of the file")
    second = browser.find("#made .compare > img").get_attribute("src")
    browser.click("#apply-form button.main")
    browser.until(lambda: browser.find("#made .compare > img").get_attribute("src") != second, "the result of the file")
    made = (
        studio.runs / ".studio" / "made" / browser.find("#made .compare > img").get_attribute("src").rpartition("/")[2]
    )
    with Image.open(made) as after, Image.open(tmp_path / "blots" / "b0.png") as before:
        kept = np.asarray(after.convert("RGB")) == np.asarray(before)
    assert kept[hole == 0].all()
    exported(browser, "holes", "onnx")
    browser.until(lambda: "largest difference" in browser.text("#exported"), "the comparison with the original")


def test_text_with_a_prompt_and_a_temperature(browser: Browser, studio: Served, tmp_path: Path) -> None:
    rng = random.Random(0)
    words = ("red", "blue", "green", "small", "large", "cat", "dog", "bird")
    lines = [" ".join(rng.choice(words) for _ in range(4)) for _ in range(400)]
    (tmp_path / "animals.txt").write_text("\n".join(lines))
    browser.open("/new")
    browser.drop("#drop", tmp_path / "animals.txt")
    browser.until(lambda: browser.find("#data").get_attribute("value") == "dropped: animals.txt", "the name")
    browser.preset("text-lm")
    browser.filled("speaks", epochs="0.2", batch="16")
    browser.trained("speaks")
    assert "animals:" in browser.text(".facts")
    assert not browser.find("#resume-form").is_displayed(), "a finished run can only be trained longer"
    browser.open("/runs/speaks/draw")
    browser.until(lambda: browser.find("#made pre").text, "lines")
    browser.type("#a-prompt", "red cat")
    browser.type("#a-temperature", "0.5")
    browser.click("#try-form button.main")
    said = browser.until(
        lambda: (t := browser.text("#made pre")).splitlines() and all(line.startswith("red cat") for line in t.splitlines()) and t,
        "lines that begin with the prompt",
    )  # fmt: skip
    assert len(said.splitlines()) == 10
    shell = browser.until(
        lambda: (t := browser.text("#sample-shell")) and "--temperature 0.5" in t and t, "the command"
    )
    assert "--unknown" not in shell and "--truncation" not in shell  # noqa: PT018
    assert not browser.driver.find_elements("css selector", "#a-truncation, #a-unknown")
    browser.check("write")
    browser.open("/runs/speaks/export")
    browser.click("input[value=hub]")
    browser.click("main form button.main")
    browser.until(
        lambda: browser.driver.find_elements("css selector", "#exported .note.bad, #exported table"), "the answer"
    )
    assert json.loads((studio.runs / "speaks" / "config.json").read_text())["task"]["name"] == "text-lm"
    assert browser.outside() == []
    assert browser.said() == []
