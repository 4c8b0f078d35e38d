"""Pictures of the studio's pages for docs/studio.md, in a light and a dark theme and at a width of 400 pixels.

    python tests/studio/shots.py --place demo --out docs/images

`demo/runs` holds runs that were trained and evaluated; the first two by name are shown:

    gan train --data digits --preset textbook --name digits-textbook --max-steps 3000
    gan train --data digits --preset best-cpu --name digits-best --max-steps 1200
    gan evaluate digits-textbook --n 300
    gan evaluate digits-best --n 300
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from browser import Browser, opened
from conftest import started

LOOKS = {"": (1200, False), "-dark": (1200, True), "-400": (400, False)}
MOST = 1300  # pixels of a page that are shown


def shown(browser: Browser, name: str, out: Path) -> None:
    """Pictures of the page that is open."""
    os.environ["STUDIO_SHOTS"] = str(out)
    for suffix, (width, dark) in LOOKS.items():
        browser.look(width, dark)
        browser.driver.execute_script("scrollTo(0, 0)")
        browser.driver.execute_async_script("setTimeout(arguments[0], 500)")
        end = browser.driver.execute_script("return document.querySelector('main').getBoundingClientRect().bottom")
        browser.shot(f"studio-{name}{suffix}", min(MOST, int(end)))
    browser.look(1200, False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--place", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    empty = options.place / "empty"
    empty.mkdir(exist_ok=True)
    studio = started(empty.resolve())
    with opened(studio) as browser:
        browser.open("/")
        browser.find("#first")
        shown(browser, "first", options.out)
    studio.end()
    studio = started(options.place.resolve())
    one, two = sorted(r["name"] for r in studio.get("/api/runs")["runs"])[:2]
    with opened(studio) as browser:
        browser.open("/")
        browser.find(".spark")
        shown(browser, "runs", options.out)
        browser.open(f"/runs/{one}")
        browser.until(lambda: browser.loaded("#preview-image"), "the preview")
        browser.until(lambda: browser.driver.find_elements("css selector", ".uplot"), "the curves")
        shown(browser, "run", options.out)
        browser.open(f"/runs/{one}/evaluate")
        browser.find("#evaluation table")
        shown(browser, "evaluate", options.out)
        browser.open(f"/runs/{one}/export")
        browser.find("main form button.main")
        shown(browser, "export", options.out)
        browser.open(f"/runs/{one}/draw")
        browser.until(lambda: browser.loaded("#made img"), "samples")
        shown(browser, "try", options.out)
        browser.open(f"/compare?runs={one}%7C{two}")
        browser.find("#compared table")
        browser.click("#pair")
        browser.until(lambda: len(browser.driver.find_elements("css selector", "#pairs img")) == 2, "the same seeds")
        shown(browser, "compare", options.out)
        browser.open("/new")
        browser.type("#data", "digits")
        browser.find("#check dl")
        shown(browser, "new", options.out)
        browser.click("#start")
        browser.until(lambda: "/runs/" in browser.driver.current_url, "the page of the new run")
        studio.post(f"/api/runs/{one}/evaluate", {"n": "300"})
        browser.open("/queue")
        browser.until(lambda: "running" in browser.text("#queue"), "a command that runs")
        shown(browser, "queue", options.out)
    studio.end()


if __name__ == "__main__":
    main()
