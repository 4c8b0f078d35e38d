"""Text leaves the house whole: tokens in, tokens out, a tokenizer beside it, and the lines of `gan sample` everywhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gancli.core.config import read_preset, resolve
from gancli.core.contracts import Tick
from gancli.core.exportable import Draw
from gancli.core.samples import FromPrompt
from gancli.core.seeds import generator
from gancli.core.specs import Tokens
from gancli.core.text import units
from gancli.export.contracts import Source, by_torch
from gancli.export.formats.onnx import session
from gancli.export.seeds import draw, unit
from gancli.export.writing import export, format_of
from gancli.inference.generator import Model
from gancli.tasks.line_export import tokenizer, vocabulary_of
from tests.conftest import Gan

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

WORDS = ("", "�", *"abcdefgh ")
RECURRENT = {"embedding": 8, "width": 12}
SMALL: dict[str, dict[str, Any]] = {
    "text-lm": {**RECURRENT, "layers": 2, "tied": True},
    "text-residual": {**RECURRENT, "candidates": 3, "states": True, "filters": 4, "critic_embedding": 6},
    "text-wgan-gp": {"z": 8, "width": 6, "blocks": 1},
}
LINES = "".join(f"{a}{b} {a}{c}\n" for a in "kmnptv" for b in ("a", "ei", "ou") for c in ("ro", "sil", "tu"))


@dataclass(frozen=True)
class Lines(Source):
    """A small model of lines with random weights."""

    classes: int = 0

    @cached_property
    def model(self) -> Model:
        spec = Tokens(length=6, vocabulary=len(WORDS), words=WORDS, classes=self.classes)
        small = {"task": SMALL[self.name], "data": {"source": "digits"}}
        task = resolve({"preset": self.name}, read_preset(self.name), small).task.resolved(1000, spec)
        torch.manual_seed(0)
        nets = {name: net.eval().requires_grad_(False) for name, net in task.nets(spec).items()}
        return Model(task, nets, spec, Tick(0, 0, 0), {})

    def lines(self, ask: FromPrompt) -> tuple[str, ...]:
        """What the model itself writes."""
        return self.model.task.generate(self.model.nets, ask, self.model.spec).lines


def text(words: list[str], row: np.ndarray, separator: str = "") -> str:
    """The line of tokens, as a stranger reads it."""
    kept = row[: int(np.argmin(np.append(row, 0)))]
    return separator.join(words[token] for token in kept)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("preset", SMALL)
def test_lines_of_seeds_temperatures_and_prompts(preset: str, classes: int) -> None:
    source = Lines(Path(preset), classes=classes)
    form, seeds = source.exportable, tuple(range(40))
    name, draws = next(iter(form.draws.items()))
    asks = [FromPrompt(seeds=seeds), FromPrompt(seeds=seeds, temperature=0.7)]
    if "prompt" in form.inputs:
        asks.append(FromPrompt(seeds=seeds, prompt="ab", labels=(1,) * 40 if classes else None))
    for ask in asks:
        inputs = {name: draw(draws, seeds), "temperature": np.full(40, ask.temperature)}
        if "prompt" in form.inputs:
            inputs["prompt"] = np.zeros((40, 6), np.int64)
            inputs["prompt"][:, : len(ask.prompt)] = [WORDS.index(c) for c in ask.prompt]
        if classes:
            inputs["label"] = np.array(ask.labels or [s % classes for s in seeds])
        tokens = by_torch(form, inputs)
        assert tuple(text(list(WORDS), row) for row in tokens) == source.lines(ask)
    assert len(set(source.lines(asks[0]))) > 20


@pytest.mark.parametrize("preset", SMALL)
def test_onnx_writes_the_same_tokens(tmp_path: Path, preset: str) -> None:
    source = Lines(Path(preset), classes=2)
    parity = export(format_of("onnx"), source, tmp_path / "it.onnx")
    assert parity is not None
    assert (parity.differing, parity.pixels) == (0, 60)
    assert parity.describe().endswith("0 of 60 tokens differ")
    facts = {entry.key: entry.value for entry in onnx.load(tmp_path / "it.onnx").metadata_props}
    assert json.loads(facts["words"]) == list(WORDS)
    assert facts["output"] == "tokens"
    assert "value_range" not in facts


def test_a_difference_of_one_token_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gancli.core.errors import ResourceError
    from gancli.export.formats.onnx import Onnx

    source = Lines(Path("text-wgan-gp"))

    def wrong(_self: Any, _source: Any, _path: Path) -> Any:
        def run(inputs: Any) -> np.ndarray:
            tokens = by_torch(source.exportable, inputs)
            tokens[0, 0] += 1
            return tokens

        return run

    monkeypatch.setattr(Onnx, "runner", wrong)
    monkeypatch.setattr(Onnx, "write", lambda _self, _source, path: path.write_bytes(b"x"))
    with pytest.raises(ResourceError, match="differs from torch by 1"):
        export(format_of("onnx"), source, tmp_path / "it.onnx")
    assert list(tmp_path.iterdir()) == []


def test_numpy_draws_the_uniform_numbers_of_torch() -> None:
    for width in (1, 2, 5, 16, 33, 130):
        for seed in (0, 7, 2**40 + 1, 2**63 - 1):
            expected = torch.rand(width, generator=generator("sample", seed), dtype=torch.float64).numpy()
            np.testing.assert_array_equal(unit(width, "sample", seed), expected)


def test_the_tokenizer_file() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    for words, separator, line in (
        (WORDS, "", "ab gé"),
        (("", "<unk>", "the", "</s>", "e\u0301", "👩‍👩‍👧"), "", "e\u0301👩‍👩‍👧"),
        (("", "<unk>", "the", "cat", "</s>"), " ", "the cat sat </s>"),
    ):
        vocabulary = vocabulary_of(Tokens(length=9, vocabulary=len(words), words=words, separator=separator))
        loaded = tokenizers.Tokenizer.from_str(tokenizer(vocabulary).decode())
        expected = vocabulary.encode([units(line, bool(separator))], 9)[0]
        ids = loaded.encode(line).ids
        assert ids == expected[: len(ids)].tolist()
        assert loaded.decode([*ids, 0]) == vocabulary.decode(expected[None])[0]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lines to learn from."""
    path = tmp_path_factory.mktemp("lines") / "names.txt"
    path.write_text(LINES)
    return path


def test_the_line_of_seed_7_in_onnx_and_in_the_page(gan: Gan, trained: Path, tmp_path: Path, browser: Any) -> None:
    words = ["--max-steps", "30", "--batch-size", "16", "--set", "task.width=24", "--name", "it"]
    assert gan("train", "--data", trained, "--preset", "text-lm", *words).code == 0
    run, out = tmp_path / "runs_dir/it", tmp_path / "it.onnx"
    said = gan("export", run, "--to", "onnx", "--out", out)
    assert said.code == 0, said.err
    assert "tokens differ" in said.err
    sampled = gan("sample", run, "--seed", "7", "--n", "3", "--out", tmp_path / "x.txt")
    assert sampled.code == 0
    expected = (tmp_path / "x.txt").read_text().splitlines()
    facts = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    draws = [Draw(**{**how, "path": tuple(how["path"])}) for how in json.loads(facts["draws"])["uniform"]]
    length = json.loads(facts["inputs"])["prompt"][0]
    tokens = session(out)({
        "uniform": draw(draws, range(7, 10)), "temperature": np.ones(3), "prompt": np.zeros((3, length), np.int64)
    })  # fmt: skip
    assert [text(json.loads(facts["words"]), row) for row in tokens] == expected
    vocabulary = json.loads((tmp_path / "it.tokenizer.json").read_text())["model"]["vocab"]
    assert sorted(vocabulary.values()) == list(range(len(json.loads(facts["words"]))))

    assert gan("export", run, "--to", "html", "--out", tmp_path / "it.html").code == 0
    assert sorted(p.name for p in tmp_path.glob("it*")) == ["it.html", "it.onnx", "it.tokenizer.json"]
    browser.open(tmp_path / "it.html")
    assert browser.call("return gan.write([7, 8, 9])") == expected
    asked = ["--seed", "7", "--n", "3", "--prompt", "ma", "--temperature", "0.8", "--out", tmp_path / "y.txt"]
    assert gan("sample", run, *asked).code == 0
    found = browser.call('return gan.write([7, 8, 9], {prompt: "ma", temperature: 0.8})')
    assert found == (tmp_path / "y.txt").read_text().splitlines()
    assert browser.call("return gan.write([7], {prompt: 'Q'}).catch((e) => e.message)").startswith("the training lines")
    shown = browser.call("""
        const set = (id, value) => { document.getElementById(id).value = value; };
        set("seed", 7); set("count", 3); document.getElementById("draw").click();
        return new Promise((done) => {
          const look = () => {
            const lines = [...document.querySelectorAll("#samples li")].map((item) => item.textContent);
            if (lines.length === 3) done(lines); else setTimeout(look, 50);
          };
          look();
        });
    """)
    assert shown == expected
