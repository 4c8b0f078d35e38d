"""`gan sample`: what is asked for is done, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Gan

MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--seed", str(MOST + 1)], "--seed"),
        (["--seed", str(MOST), "--n", "2"], f"no seed {MOST + 1}"),
        (["--seeds", str(MOST + 1)], f"no seed {MOST + 1}"),
        (["--mix", str(MOST + 1)], f"no seed {MOST + 1}"),
        (["--seeds", "0-3", "--n", "64"], "--seeds names every seed"),
        (["--seeds", "0-3", "--seed", "0"], "--seeds names every seed"),
        (["--seeds", "1,1,1", "--out", "FOLDER"], "named twice"),
    ],
)
def test_refusal(gan: Gan, run: Path, tmp_path: Path, words: list[str], named: str) -> None:
    out = [] if "--out" in words else ["--out", str(tmp_path / "s.npz")]
    said = gan("sample", run, *[str(tmp_path / "f") if w == "FOLDER" else w for w in words], *out)
    assert (said.code, named in said.err, "Traceback" in said.err) == (2, True, False), said.err
    assert not (tmp_path / "f").exists()
    assert not (tmp_path / "s.npz").exists()


def test_the_last_seed(gan: Gan, run: Path, tmp_path: Path) -> None:
    assert gan("sample", run, "--seed", str(MOST), "--n", "1", "--out", tmp_path / "s.npz").code == 0
    with np.load(tmp_path / "s.npz") as file:
        assert file["seeds"].tolist() == [MOST]


def test_what_ends_in_a_slash_is_a_folder(gan: Gan, run: Path, tmp_path: Path) -> None:
    for name in ("out.v2/", "out.gif/", "out.gif"):
        said = gan("sample", run, "--n", "3", "--out", f"{tmp_path}/{name}", "--json")
        assert said.code == 0, said.err
        assert said.json()["n"] == len(list((tmp_path / name).iterdir())) == 3
