"""Films: of a run's previews, with dates; what has too few of them; GIF and MP4."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gancli.core.errors import DataError, UsageError
from gancli.core.images import png
from gancli.core.video import CAPTION, video
from gancli.report import reporter
from gancli.report.film import HOLD, film
from gancli.runs.folder import Run
from tests.conftest import TINY, Gan


def filmed(tmp_path: Path, n: int = 5, channels: int = 3) -> Run:
    """A folder with n previews, brighter and brighter."""
    run = Run(tmp_path / "r")
    run.samples.mkdir(parents=True)
    for i in range(n):
        image = np.full((channels, 40, 61), 40 * i, np.uint8)
        (run.samples / f"{100 * i:06d}.png").write_bytes(png(image))
    (run.samples / "000100-validation.png").write_bytes(b"other")
    lines = [{"step": 200, "images": 6400, "seconds": 61.0}, {"step": 400, "images": 12800, "seconds": 122.0}]
    run.journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


@pytest.mark.parametrize("channels", [1, 3])
def test_a_film_shows_each_preview_in_turn_and_holds_the_last(tmp_path: Path, channels: int) -> None:
    with Image.open(io.BytesIO(film(filmed(tmp_path, channels=channels), ".gif"))) as picture:
        shown, durations = [], []
        for i in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(i)
            shown.append(int(np.asarray(picture.convert("L"))[5, 5]))
            durations.append(picture.info["duration"])
        assert picture.size == (61, 40 + CAPTION)
    assert shown == pytest.approx([0, 40, 80, 120, 160], abs=2)
    assert durations[0] == 120
    assert durations[-1] == (1 + HOLD) * 125 // 10 * 10


def test_the_caption_tells_the_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    draw = "PIL.ImageDraw.ImageDraw.text"
    monkeypatch.setattr(draw, lambda _self, _at, text, **_more: said.append(text))
    film(filmed(tmp_path), ".gif")
    assert said[1:3] == ["step 100   3,200 images   0:30", "step 200   6,400 images   1:01"]


def test_an_mp4_has_the_frames(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(io.BytesIO(film(filmed(tmp_path), ".mp4"))) as file:
        frames = [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]
    assert len(frames) == 5 + HOLD
    assert frames[0].shape == (40 + CAPTION, 62, 3)  # the sides are even
    assert [int(frame[5, 5].mean()) for frame in frames[:5]] == pytest.approx([0, 40, 80, 120, 160], abs=4)


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = filmed(tmp_path)
    with pytest.raises(UsageError, match="do not know the form"):
        film(run, ".avi")
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(UsageError, match="needs the package av") as caught:
        video([np.zeros((1, 4, 4), np.uint8)], ".mp4")
    assert "gancli[film]" in (caught.value.remedy or "")
    (run.samples / "000200.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="cannot read the preview") as broken:
        film(run, ".gif")
    assert "\n" not in str(broken.value)
    for file in list(run.samples.glob("*.png"))[1:]:
        file.unlink()
    run.journal.write_text('{"step": 30, "images": 480}\n')
    with pytest.raises(UsageError, match="needs two") as short:
        film(run, ".gif")
    assert str(short.value.remedy).endswith("--images 960 --max-steps 60")


def test_gan_film_and_the_film_at_the_end_of_a_run(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "FILMED", 0.0)
    more = ["--set", "intervals.sample=320", "--max-steps", "30"]
    said = gan("train", "--data", "digits", "--name", "f", *TINY, *more)
    assert said.code == 0, said.err
    assert "film     " in said.err
    run = tmp_path / "runs_dir/f"
    assert (run / "learning.gif").is_file()
    said = gan("film", "f", "--out", tmp_path / "x.gif", "--json")
    assert said.json() == {"out": str(tmp_path / "x.gif"), "run": "f", "previews": 3}
    assert (tmp_path / "x.gif").read_bytes() == (run / "learning.gif").read_bytes()
    for words, named in ((["--out", tmp_path / "no/x.gif"], "mkdir"), (["--out", tmp_path / "x.txt"], "use .gif")):
        said = gan("film", "f", *words)
        assert (said.code, named in said.err, "Traceback" in said.err) == (2, True, False)
