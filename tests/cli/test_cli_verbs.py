"""The main path, verb by verb."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.test_cli_sample import loaded
from tests.conftest import TINY, Gan


def test_train_leaves_a_whole_run(run: Path) -> None:
    for name in ("config.json", "environment.json", "data.json", "metrics.jsonl", "log.txt"):
        assert (run / name).is_file(), name
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["000020"]
    assert {p.name for p in (run / "model").iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert (run / "samples" / "000020.png").is_file()


def test_journal_has_the_promised_keys(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--data", "digits", "--max-steps", "100", "--name", "keys", *TINY)
    assert said.code == 0, said.err
    lines = [json.loads(t) for t in (tmp_path / "runs_dir/keys/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [50, 100]
    for line in lines:
        assert {"step", "epoch", "images", "d_loss", "g_loss", "images_per_s"} <= line.keys()
    assert (tmp_path / "runs_dir/keys/curves.png").is_file()


def test_defaults_are_said_and_recorded(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--max-steps", "2")
    assert said.code == 0, said.err
    assert "chose data digits" in said.err
    assert "chose preset textbook, for grayscale images of 8x8" in said.err
    assert "14 passes" in said.err
    recorded = json.loads((tmp_path / "runs_dir/digits-textbook-0001/data.json").read_text())
    assert len(recorded["choices"]) == 3
    config = json.loads((tmp_path / "runs_dir/digits-textbook-0001/config.json").read_text())
    assert (config["batch_size"], config["data"]["repeat"]) == (100, 14)


def test_runs_are_numbered_and_never_overwritten(gan: Gan, tmp_path: Path) -> None:
    for _ in range(2):
        assert gan("train", "--data", "digits", "--max-steps", "1", *TINY).code == 0
    names = sorted(p.name for p in (tmp_path / "runs_dir").iterdir())
    assert names == ["digits-textbook-0001", "digits-textbook-0002"]
    assert gan("train", "--data", "digits", "--name", names[0], "--max-steps", "1").code == 2


def test_train_json_is_one_object(gan: Gan) -> None:
    said = gan("train", "--data", "digits", "--max-steps", "50", "--json", "--quiet", *TINY)
    assert said.json()["stopped"] == "steps"
    assert said.json()["step"] == 50
    assert said.err == ""


def test_dry_run_writes_nothing(gan: Gan, tmp_path: Path) -> None:
    said = gan("train", "--data", "digits", "--dry-run", "--json", *TINY)
    assert said.code == 0, said.err
    assert said.json()["images"] == 1_006_600
    assert said.json()["parameters"]["G"] > 0
    assert not (tmp_path / "runs_dir").exists()


def test_layers_win_in_order(gan: Gan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "c.toml"
    file.write_text("batch_size = 10\nseed = 1\n[optimizer]\nlr = 1e-3\n")
    monkeypatch.setenv("GAN_TRAIN_SEED", "2")
    said = gan("train", "--data", "digits", "--config", file, "--set", "seed=4", "--max-steps", "1", "--name", "a")
    assert said.code == 0, said.err
    config = json.loads((tmp_path / "runs_dir/a/config.json").read_text())
    assert (config["batch_size"], config["seed"], config["optimizer"]["lr"]) == (10, 4, 1e-3)
    said = gan("train", "--data", "digits", "--config", file, "--max-steps", "1", "--name", "b")
    assert json.loads((tmp_path / "runs_dir/b/config.json").read_text())["seed"] == 2


def test_a_config_file_of_a_run_repeats_it(gan: Gan, run: Path, tmp_path: Path) -> None:
    stored = json.loads((run / "config.json").read_text())
    again = tmp_path / "again.toml"
    again.write_text(f"seed = {stored['seed']}\nbatch_size = {stored['batch_size']}\n")
    words = ["--set", "task.model.g_widths=[16]", "--set", "task.model.d_widths=[16]", "--max-steps", "20"]
    assert gan("train", "--data", "digits", "--config", again, "--name", "twin", *words).code == 0
    twin = run.parent / "twin/checkpoints/000020/nets.safetensors"
    assert twin.read_bytes() == (run / "checkpoints/000020/nets.safetensors").read_bytes()


def test_resume_extends(gan: Gan, run: Path) -> None:
    said = gan("resume", run, "--max-steps", "30")
    assert said.code == 0, said.err
    assert "resumed from step 20" in said.err
    assert (run / "checkpoints/000030").is_dir()
    config = json.loads((run / "config.json").read_text())
    assert config["stop"]["max_steps"] == 20, "config.json is written once"
    assert gan("resume", run, "--max-steps", "35").code == 0
    assert (run / "checkpoints/000035").is_dir()


def test_evaluate_and_compare(gan: Gan, run: Path) -> None:
    said = gan("evaluate", run, "--n", "120", "--metrics", "fid,prc,class-histogram", "--json")
    assert said.code == 0, said.err
    scores = said.json()["scores"]
    assert scores["fid@digits-v1"]["value"] > scores["fid@digits-v1"]["reference"] > 0
    assert {"precision@digits-v1", "recall@digits-v1"} <= scores.keys()
    assert said.json()["protocol"]["n_fake"] == 120
    assert (run / "evaluation.json").is_file()
    assert (run / "evaluation.png").is_file()
    table = gan("compare", run, run)
    assert table.code == 0, table.err
    assert "fid@digits-v1" in table.out


def test_fail_if(gan: Gan, run: Path) -> None:
    said = gan("evaluate", run, "--n", "60", "--metrics", "fid", "--fail-if", "fid>0.001")
    assert said.code == 8
    assert "fid" in said.err.splitlines()[-1]
    assert gan("evaluate", run, "--n", "60", "--metrics", "fid", "--fail-if", "fid>100000").code == 0


def test_until_stops_at_a_quality(gan: Gan, tmp_path: Path) -> None:
    words = ["--data", "digits", "--name", "q", "--evaluate-every", "640", "--set", "intervals.evaluate_n=64", *TINY]
    said = gan("train", "--until", "fid<100000", "--set", "stop.patience=2", *words)
    assert said.code == 0, said.err
    assert "quality reached" in said.err
    lines = [json.loads(t) for t in (tmp_path / "runs_dir/q/scores.jsonl").read_text().splitlines()]
    assert [line["images"] for line in lines] == [640, 1280]


def test_list(gan: Gan) -> None:
    assert "nonsaturating" in gan("list", "loss").out
    assert "nonsaturating" in gan("list", "losses").out
    assert "dropout" in gan("list", "model", "mlp").out
    assert "textbook" in gan("list", "presets").out
    found = gan("list", "--json").json()
    assert {"preset", "loss", "model", "data", "metric"} <= found.keys()


def test_data(gan: Gan, tmp_path: Path) -> None:
    for kind in "ab":
        (tmp_path / "pictures" / kind).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((28, 20), 40 * i, np.uint8)).save(tmp_path / "pictures" / kind / f"{i}.png")
    said = gan("data", tmp_path / "pictures", "--preview", tmp_path / "p.png", "--json")
    assert said.code == 0, said.err
    assert said.json()["count"] == 6
    assert said.json()["shape"] == [1, 28, 20]
    assert set(said.json()["classes"]) == {"a", "b"}
    Image.open(io.BytesIO((tmp_path / "p.png").read_bytes())).verify()


def test_trains_on_a_flat_folder_of_grey_28x20_and_on_a_zip(gan: Gan, tmp_path: Path) -> None:
    import zipfile

    folder = tmp_path / "flat"
    folder.mkdir()
    numbers = np.random.Generator(np.random.PCG64(0))
    for i in range(40):
        Image.fromarray(numbers.integers(0, 256, (28, 20), np.uint8)).save(folder / f"{i}.png")
    assert gan("train", "--data", folder, "--max-steps", "2", "--name", "flat", "--batch-size", "8").code == 0
    config = json.loads((tmp_path / "runs_dir/flat/config.json").read_text())
    assert config["preset"] == "textbook"
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        for i in range(40):
            color = numbers.integers(0, 256, (16, 16, 3), np.uint8)
            out = io.BytesIO()
            Image.fromarray(color).save(out, "PNG")
            archive.writestr(f"{'ab'[i % 2]}/{i}.png", out.getvalue())
    small = ["--set", "task.model.g_width=8", "--set", "task.model.d_width=8"]
    said = gan("train", "--data", tmp_path / "z.zip", "--max-steps", "2", "--name", "zip", "--batch-size", "8", *small)
    assert said.code == 0, said.err
    assert json.loads((tmp_path / "runs_dir/zip/config.json").read_text())["preset"] == "best"


def test_quiet_says_nothing(gan: Gan) -> None:
    said = gan("train", "--data", "digits", "--max-steps", "1", "--quiet", *TINY)
    assert (said.code, said.out, said.err) == (0, "", "")


def test_python(run: Path) -> None:
    import gancli

    model = gancli.load(run)
    images = model.sample(6, seed=3)
    assert images.shape == (6, 1, 8, 8)
    assert float(images.abs().max()) <= 1
    assert (model.sample(1, seed=5)[0] == images[2]).all()


def test_help_is_quick_and_does_not_import_torch() -> None:
    probe = "import sys, gancli.cli; sys.exit(2 if {'torch', 'pydantic', 'numpy'} & set(sys.modules) else 0)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
    times = []
    for _ in range(3):
        start = time.monotonic()
        done = subprocess.run([sys.executable, "-m", "gancli", "--help"], check=True, capture_output=True, text=True)
        times.append(time.monotonic() - start)
    assert {"train", "resume", "sample", "evaluate"} <= set(done.stdout.split())
    assert min(times) < 2.0, "0.2 s alone on its machine; the bound allows for a busy one"


def test_project_finds_an_image_that_the_generator_made(gan: Gan, run: Path, tmp_path: Path) -> None:
    assert gan("sample", run, "--seeds", "900", "--out", tmp_path / "one").code == 0
    target = tmp_path / "one/seed000900.png"
    errors = []
    for steps in ("1", "300"):
        said = gan("project", target, "--run", run, "--steps", steps, "--out", tmp_path / "p.png", "--json")
        assert said.code == 0, said.err
        errors += said.json()["error"]
    assert errors[1] < 0.8 * errors[0], "the search is better than the best of 512 random points"
    assert (tmp_path / "p.png").is_file()
    assert gan("project", tmp_path / "none.png", "--run", run).code == 3


def test_a_run_on_a_folder_is_called_after_it(gan: Gan, tmp_path: Path) -> None:
    folder = tmp_path / "my photos"
    folder.mkdir()
    for i in range(20):
        Image.fromarray(np.full((8, 8), 10 * i, np.uint8)).save(folder / f"{i}.png")
    said = gan("train", "--data", folder, "--max-steps", "1", *TINY)
    assert said.code == 0, said.err
    assert (tmp_path / "runs_dir/my-photos-textbook-0001").is_dir()


def test_a_step_names_its_checkpoint(gan: Gan, tmp_path: Path) -> None:
    said = gan(
        "train", "--data", "digits", "--max-steps", "9", "--name", "r", "--keep", "2", "--save-every", "256", *TINY
    )
    assert said.code == 0, said.err
    images = []
    for step in (["--step", "8"], ["--step", "9"], []):
        said = gan("sample", "r", "--n", "2", "--out", tmp_path / "x.npz", "--json", *step)
        assert said.code == 0, said.err
        assert json.loads(said.out)["step"] == int(step[-1] if step else 9)
        images.append(loaded(tmp_path / "x.npz")["images"])
    assert not (images[0] == images[1]).all()
    assert (images[1] == images[2]).all()
    said = gan("evaluate", "r", "--step", "8", "--n", "32", "--metrics", "fid", "--json")
    assert json.loads(said.out)["protocol"]["fakes"]["step"] == 8
    said = gan("sample", "r", "--step", "7")
    assert (said.code, "kept are 8, 9" in said.err) == (2, True)
    said = gan("sample", tmp_path / "runs_dir/r/model", "--step", "9")
    assert (said.code, "name the run folder" in said.err) == (2, True)
