"""Refusals teach: one line that names the cause, the right exit code, no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from gancli.core.config import Config
from tests.conftest import Gan

CASES = [
    # words, exit code, what the line must name
    (["trian"], 2, "train"),
    (["train", "--epoch", "3"], 2, "--epochs"),
    (["train", "--epochs", "many"], 2, "--epochs"),
    (["train", "--epochs", "0"], 2, "epochs"),
    (["train", "--data", "diggits"], 2, "digits"),
    (["train", "--data", "./nowhere"], 3, "nowhere"),
    (["train", "--data", "EMPTY"], 3, "EMPTY"),
    (["train", "--data", "mnist"], 3, "train-images-idx3-ubyte"),
    (["train", "--data", "TEXT.tar"], 3, "tar"),
    (["train", "--data", "TEXT.pkl"], 3, "pickle"),
    (["train", "--preset", "textbok"], 2, "textbook"),
    (["train", "--data", "digits", "--model", "mpl"], 2, "mlp"),
    (["train", "--data", "digits", "--loss", "hing"], 2, "hinge"),
    (["train", "--data", "digits", "--set", "task.model.wdth=3"], 2, "wdth"),
    (["train", "--data", "digits", "--set", "seed"], 2, "a.b=value"),
    (["train", "--data", "digits", "--set", "optimizer=adm"], 2, "adam"),
    (["train", "--data", "digits", "--set", "optimizer.lr=-1"], 2, "lr"),
    (["train", "--data", "digits", "--batch-size", "0"], 2, "batch_size"),
    (["train", "--data", "digits", "--batch-size", "1000000"], 2, "1000000"),
    (
        ["train", "--data", "digits", "--set", "task.pack=4", "--batch-size", "12", "--micro-batch", "6"],
        2,
        "multiples of 4",
    ),
    (["train", "--data", "digits", "--set", "optimizer.betas=[1, 1]"], 2, "betas"),
    (["train", "--data", "digits", "--image-size", "big"], 2, "big"),
    (["train", "--data", "digits", "--channels", "7"], 2, "channels"),
    (["train", "--data", "digits", "--images", "5", "--epochs", "2"], 2, "--epochs"),
    (["train", "--data", "digits", "--config", "missing.toml"], 2, "missing.toml"),
    (["train", "--data", "digits", "--config", "TEXT.toml"], 2, "TOML"),
    (["train", "--data", "digits", "--plugin", "missing.py"], 2, "missing.py"),
    (["train", "--data", "digits", "--plugin", "BROKEN.py"], 2, "BROKEN.py"),
    (["train", "--data", "digits", "--device", "gpu9"], 2, "gpu9"),
    (["train", "--data", "digits", "--precision", "fp7"], 2, "precision"),
    (["train", "--data", "digits", "--until", "fidd<8"], 2, "fid"),
    (["train", "--data", "digits", "--name", "../up"], 2, "../up"),
    (["train", "--data", "digits", "--name", "../up", "--dry-run"], 2, "../up"),
    (["train", "--data", "digits", "--epochs", "0.00001"], 2, "not one image"),
    (["train", "--data", "digits", "--set", "stop.epoch=3"], 2, "did you mean stop.epochs"),
    (["train", "--data", "digits", "--set", "optimizers.d.lr=1e-4"], 2, "there are: G, D"),
    (["train", "--data", "digits", "--runs-dir", "TEXT.toml"], 5, "TEXT.toml"),
    (["resume"], 2, "gan train"),
    (["resume", "no-such-run"], 2, "no-such-run"),
    (["sample"], 2, "gan train"),
    (["train", "--data", "mnist", "--data-dir", "~no-such-user"], 2, "--data-dir"),
    (["sample", "no-such-run"], 2, "no-such-run"),
    (["sample", "RUN", "--n", "0"], 2, "--n"),
    (["sample", "RUN", "--out", "x.bmp"], 2, ".bmp"),
    (["sample", "RUN", "--out", "no/folder/x.png"], 2, "no/folder"),
    (["sample", "RUN", "--seeds", "5-1"], 2, "5-1"),
    (["sample", "RUN", "--label", "3", "--labels", "0-9"], 2, "--label"),
    (["sample", "RUN", "--label", "3"], 2, "--label"),
    (["sample", "RUN", "--mix", "8-11"], 2, "stylegan2"),
    (["sample", "RUN", "--mix", "8-"], 2, "8-"),
    (["sample", "RUN", "--mix", "8-11", "--out", "x.npz"], 2, ".png"),
    (["sample", "RUN", "--mix", "8-11", "--nrow", "2"], 2, "--nrow"),
    (["sample", "RUN", "--mix", "0-999", "--n", "2000"], 2, "2,000,000"),
    (["sample", "RUN", "--mix-at", "2"], 2, "--mix"),
    (["sample", "RUN", "--attr", "slant"], 2, "slant"),
    (["sample", "RUN", "--attr", "slant=1"], 2, "slant"),
    (["sample", "EMPTY"], 4, "EMPTY"),
    (["evaluate", "RUN", "--metrics", "fidd"], 2, "fid"),
    (["evaluate", "RUN", "--fail-if", "fid"], 2, "fid"),
    (["evaluate", "RUN", "--images", "EMPTY"], 2, "--images"),
    (["evaluate", "--images", "EMPTY"], 2, "--against"),
    (["evaluate", "--images", "EMPTY", "--against", "digits"], 3, "EMPTY"),
    (["evaluate", "RUN", "--features", "digit"], 2, "digits-v1"),
    (["evaluate", "RUN", "--feature-weights", "TEXT.pkl"], 4, "TEXT.pkl"),
    (["evaluate", "RUN", "--feature-weights", "EMPTY.safetensors"], 2, "--feature-hash"),
    (["evaluate", "RUN", "--feature-weights", "EMPTY.safetensors", "--feature-hash", "00"], 4, "EMPTY.safetensors"),
    (["compare", "RUN"], 2, "gan evaluate"),
    (["list", "lossen"], 2, "loss"),
    (["list", "loss", "hing"], 2, "hinge"),
    (["data", "nothing-like-it"], 2, "nothing-like-it"),
]


@pytest.mark.parametrize(("words", "code", "named"), CASES, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_refusal(
    gan: Gan, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    for name in ("TEXT.toml", "TEXT.tar", "TEXT.pkl"):
        (tmp_path / name).write_text("not = what [it says")
    (tmp_path / "EMPTY.safetensors").write_bytes(b"")
    (tmp_path / "BROKEN.py").write_text("import nothing_of_that_name\n")
    if words[0] in ("resume", "sample") and len(words) == 1:
        monkeypatch.setenv("GAN_RUNS_DIR", str(tmp_path / "none"))
    said = gan(*[str(run) if w == "RUN" else w for w in words])
    last = said.err.strip().splitlines()[-1]
    assert said.code == code, said.err
    assert last.startswith("error: ")
    assert named in last
    assert "Traceback" not in said.err
    assert not (tmp_path / "up").exists()


def test_cases_are_many() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize(
    "value", ["5", "[[]]", '"x"', "{name=[1]}", "{name=0.5}", "{a=1}", "[{name={}}]", "1979-05-27"]
)
def test_a_configuration_of_other_types_is_refused(value: str, gan: Gan, tmp_path: Path) -> None:
    keys = [
        *Config.model_fields,
        "task.name",
        "task.model",
        "task.loss",
        "task.degrade",
        "optimizers.D",
        "transfer.weights",
    ]
    for key in keys:
        (tmp_path / "a.toml").write_text(f"{key} = {value}\n")
        said = gan("train", "--config", tmp_path / "a.toml", "--dry-run")
        fits = value == "5" and key in ("seed", "batch_size")
        assert said.code in ((0,) if fits else (2, 4)), (key, value, said.err)
        assert fits or said.err.splitlines()[-1].startswith("error: "), said.err
