"""Tasks of text: what they learn, sampling from a seed alone, prompts, temperatures, likelihoods; a whole run of each."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import gancli
from gancli.core.data import Batch
from gancli.core.errors import UsageError
from gancli.core.registry import build
from gancli.core.samples import FromPrompt
from gancli.core.specs import Tokens
from gancli.models.lstm import LSTM, LanguageModel, lengths, shortened, written
from gancli.models.text_critics import ConvCritic
from gancli.runs import checkpoint, journal
from gancli.runs.folder import Run
from gancli.runs.tensors import decode
from gancli.tasks.writing import pick, uniforms, write
from tests.conftest import Gan

WORDS = ("", "\ufffd", *"abcdefgh")
SPEC = Tokens(length=9, vocabulary=len(WORDS), words=WORDS)
SMALL = {"width": 16, "embedding": 8}
CRITIC = {"filters": 8, "critic_embedding": 16}
TINY = {
    "text-lm": SMALL,
    "text-residual": {**SMALL, **CRITIC, "candidates": 3, "states": True},
    "text-gumbel": {**SMALL, **CRITIC, "representations": 2},
    "text-scratchgan": {**SMALL, "critic_width": 16},
    "text-wgan-gp": {"width": 8, "blocks": 1, "z": 8, "n_critic": 2},
}
RECURRENT = [name for name in TINY if name != "text-wgan-gp"]
every = pytest.mark.parametrize("name", TINY)


def model(name: str = "text-lm", spec: Tokens = SPEC) -> tuple[Any, dict[str, Any]]:
    task: Any = build("task", {"name": name, **TINY[name]})
    torch.manual_seed(0)
    return task, {k: net.eval().requires_grad_(False) for k, net in task.resolved(1000, spec).nets(spec).items()}


def poems(path: Path) -> Path:
    """Lines of seven Chinese characters, each a step of a cycle of signs, in two classes."""
    signs = "春夏秋冬日月山水火木"
    rows = [(signs * 2)[i : i + 6] + "東西南北"[j] for i in range(10) for j in range(4)] * 1
    rows += ["".join(reversed(row)) for row in rows]
    path.write_text("".join(f"{row}\n" for row in rows))
    return path


LINES = 64  # of a training run, so that it has both stages


def trained(gan: Gan, tmp_path: Path, name: str, steps: int, *more: Any, run: str = "poems") -> Run:
    options = [w for k, v in TINY[name].items() for w in ("--set", f"task.{k}={json.dumps(v)}")]
    said = gan(
        "train", "--data", poems(tmp_path / "poems.txt"), "--preset", name, "--batch-size", 8, "--max-steps", steps,
        "--threads", 1, "--name", run, "--set", "intervals.log=2", "--set", "intervals.sample=64", *options,
        *(more if "--images" in more else ("--images", LINES, *more)),
    )  # fmt: skip
    assert said.code == 0, said.err
    return Run(tmp_path / "runs_dir" / run)


def test_the_lstm_is_that_of_torch() -> None:
    ours, theirs = LSTM(5, 7, 2), torch.nn.LSTM(5, 7, 2, batch_first=True)
    for mine, other in zip(ours.weights, theirs.parameters(), strict=True):
        mine.data.copy_(other.data)
    x = torch.randn(3, 4, 5)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0])


def test_lengths_and_likelihood_count_the_end_of_a_line_once() -> None:
    tokens = torch.tensor([[3, 4, 0, 0], [3, 4, 5, 6], [0, 0, 0, 0]])
    assert lengths(tokens).tolist() == [3, 4, 1]
    assert written(tokens).sum(1).tolist() == [3, 4, 1]
    assert shortened(tokens[[0, 2]]).shape == (2, 3)
    net = LanguageModel(9, 0, 6, 10, 1, 0.0, True)
    wanted = net(tokens).log_softmax(2).gather(2, tokens[..., None])[..., 0] * written(tokens)
    torch.testing.assert_close(net.log_likelihood(tokens), wanted)


def test_steps_give_the_logits_of_the_whole_line() -> None:
    torch.manual_seed(0)
    net = LanguageModel(9, 2, 6, 10, 2, 0.5, True).eval()
    tokens, label = torch.randint(1, 9, (3, 5)), torch.tensor([0, 1, 1])
    whole, state, before = net(tokens, label), net.lstm.begin(3), torch.zeros(3, dtype=torch.int64)
    for i in range(5):
        logits, state = net.step(before, state, label)
        torch.testing.assert_close(logits, whole[:, i])
        before = tokens[:, i]
    soft, _ = net.step(F.one_hot(before, 9).float(), state, label)
    torch.testing.assert_close(soft, net.step(before, state, label)[0])


def test_tokens_are_drawn_with_the_probabilities_of_the_model() -> None:
    logits = torch.tensor([[0.0, 9.0, 1.0, 2.0]]).expand(20_000, 4)
    uniform = torch.linspace(0, 1, 20_001, dtype=torch.float64)[:-1]
    for temperature, unknown in ((1.0, True), (0.5, False)):
        ask = FromPrompt(seeds=(0,), temperature=temperature, unknown=unknown)
        shares = torch.bincount(pick(logits, uniform, ask), minlength=4) / 20_000
        wanted = (logits[0] / temperature).clone()
        wanted[1] = wanted[1] if unknown else -torch.inf
        torch.testing.assert_close(shares, wanted.softmax(0), atol=1e-4, rtol=0)


@every
def test_a_line_depends_on_its_seed_alone(name: str) -> None:
    task, nets = model(name)
    many = task.generate(nets, FromPrompt(seeds=tuple(range(40))), SPEC).lines
    few = task.generate(nets, FromPrompt(seeds=(37, 5)), SPEC).lines
    assert few == (many[37], many[5])
    assert len(set(many)) > (20 if name in RECURRENT else 3)
    assert not any("\ufffd" in line for line in many)


@pytest.mark.parametrize("name", RECURRENT)
def test_prompt_and_temperature(name: str) -> None:
    task, nets = model(name)
    lines = task.generate(nets, FromPrompt(seeds=tuple(range(30)), prompt="ha"), SPEC).lines
    assert all(line.startswith("ha") for line in lines)
    assert len(set(lines)) > 10
    cold = task.generate(nets, FromPrompt(seeds=tuple(range(30)), temperature=0.001), SPEC).lines
    assert len(set(cold)) < len(set(lines))
    for wrong in ("Ω", "a" * 20):
        with pytest.raises(UsageError, match="--prompt"):
            task.generate(nets, FromPrompt(seeds=(0,), prompt=wrong), SPEC)
    with pytest.raises(UsageError, match="truncation"):
        task.generate(nets, FromPrompt(seeds=(0,), truncation=0.5), SPEC)


def test_likelihoods_sum_to_one_over_all_lines() -> None:
    spec = SPEC.replace(length=3, vocabulary=4, words=WORDS[:4])
    task, nets = model(spec=spec)
    lines = torch.tensor([[a, b, c] for a in range(4) for b in range(4) for c in range(4)])
    proper = lines[[all(x or not y for x, y in pairwise(row)) for row in lines.tolist()]]
    assert float(task.likelihood(nets, proper, None, spec).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_labels_change_the_lines() -> None:
    spec = SPEC.replace(classes=2)
    task, nets = model(spec=spec)
    torch.nn.init.normal_(nets["G"].label.weight, std=10.0)
    a, b = (task.generate(nets, FromPrompt(seeds=tuple(range(9)), labels=(y,) * 9), spec) for y in (0, 1))
    assert a.lines != b.lines
    assert a.labels.tolist() == [0] * 9
    assert task.choices(spec).classes == 2
    assert task.replace(conditional=False).choices(spec).classes == 0


@every
def test_trains_samples_and_resumes_bitwise(name: str, gan: Gan, tmp_path: Path) -> None:
    whole = trained(gan, tmp_path, name, 99, run="whole")
    parts = trained(gan, tmp_path, name, 3, run="parts")
    said = gan("resume", parts.path, "--max-steps", 99)
    assert said.code == 0, said.err
    last = checkpoint.newest(whole.checkpoints, print).step
    assert f"samples at step {last}: " in said.err
    found = [_tensors(run) for run in (whole, parts)]
    assert found[0].keys() == found[1].keys()
    assert all(torch.equal(found[0][k], found[1][k]) for k in found[0])
    previews = [(run.samples / f"{last:06d}.txt").read_text() for run in (whole, parts)]
    assert previews[0] == previews[1]
    assert len(previews[0].splitlines()) == 20
    loaded = gancli.load(whole.path)
    lines = loaded.sample(20)
    assert lines == loaded.sample(seeds=range(30))[:20]
    assert all(isinstance(line, str) and len(line) <= 8 for line in lines)
    if name in RECURRENT:
        assert loaded.sample(2, prompt="春", temperature=0.5)[0].startswith("春")
    keys = journal.read(whole.journal)[-1].keys()
    wanted = {"text-lm": {"nll/G"}, "text-residual": {"logit/D/real"}, "text-gumbel": {"loss/D", "beta/G"},
              "text-scratchgan": {"reward/G"}, "text-wgan-gp": {"penalty/D/gp"}}  # fmt: skip
    assert wanted[name] <= keys


def _tensors(run: Run) -> dict[str, Any]:
    point = checkpoint.newest(run.checkpoints, print)
    files = [f for f in point.manifest["files"] if f.endswith(".safetensors")]
    return {f"{f} {k}": v for f in files for k, v in decode(point.read(f, 1 << 30), f).items()}


def test_the_language_model_learns_seven_characters(gan: Gan, tmp_path: Path) -> None:
    run = trained(
        gan, tmp_path, "text-lm", 300, "--images", 2400, "--set", "task.width=32", "--set", "ema.half_life=200"
    )
    losses = [line["nll/G"] for line in journal.read(run.journal)]
    assert losses[-1] < 0.7 * losses[0]
    lines = gancli.load(run.path).sample(50)
    assert np.mean([len(line) == 7 for line in lines]) > 0.3


def test_micro_batches_give_the_same_step(gan: Gan, tmp_path: Path) -> None:
    runs = [
        trained(gan, tmp_path, "text-lm", 3, *more, run=f"r{i}") for i, more in enumerate(((), ("--micro-batch", 2)))
    ]
    a, b = map(_tensors, runs)
    for key in (k for k in a if k.startswith("nets")):
        torch.testing.assert_close(a[key], b[key], atol=1e-4, rtol=1e-3)


def test_sample_prints_and_writes_lines(gan: Gan, tmp_path: Path) -> None:
    run = trained(gan, tmp_path, "text-lm", 3)
    said = gan("sample", run.path, "--n", 5)
    assert said.code == 0, said.err
    printed = said.out.splitlines()
    assert len(printed) == 5
    assert gan("sample", run.path, "--seeds", "0-4").out.splitlines() == printed
    assert gan("sample", run.path, "--n", 5, "--json").json()["lines"] == printed
    assert len(gan("sample", run.path).out.splitlines()) == 20
    for form in (".txt", ".jsonl", ".npz"):
        said = gan("sample", run.path, "--n", 5, "--out", tmp_path / f"x{form}", "--temperature", 0.7, "--prompt", "山")
        assert said.code == 0, said.err
    lines = (tmp_path / "x.txt").read_text().splitlines()
    assert all(line.startswith("山") for line in lines)
    rows = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert rows == [{"text": line, "seed": i} for i, line in enumerate(lines)]
    assert np.load(tmp_path / "x.npz")["lines"].tolist() == lines
    for words, hint in (
        (("--prompt", "Ω"), "do not contain"), (("--temperature", 0), "temperature"), (("--out", "x.png"), ".txt"),
        (("--truncation", 0.5), "--temperature"), (("--best-of", 4), "--best-of"),
    ):  # fmt: skip
        refused = gan("sample", run.path, *words)
        assert refused.code == 2, (words, refused.err)
        assert hint in refused.err


def test_pictures_have_no_temperature(gan: Gan, run: Path) -> None:
    said = gan("sample", run, "--temperature", 0.5)
    assert said.code == 2
    assert "temperature" in said.err


def test_uniforms_are_of_the_seed() -> None:
    assert torch.equal(uniforms([3, 4], 5)[1], uniforms([4], 5)[0])
    net = model()[1]["G"]
    ask = FromPrompt(seeds=(0,))
    first = write(net, uniforms([0, 1], 9), None, [], ask)[1]
    assert torch.equal(first, write(net, uniforms([1], 9), None, [], ask)[0])


def test_a_vocabulary_has_a_word_for_each_token() -> None:
    with pytest.raises(ValueError, match="9 words for 10 tokens"):
        SPEC.replace(words=WORDS[:-1])


def test_wgan_refuses_a_prompt() -> None:
    task, nets = model("text-wgan-gp")
    with pytest.raises(UsageError, match="prompt"):
        task.generate(nets, FromPrompt(seeds=(0,), prompt="a"), SPEC)


def test_residual_samples_follow_the_discriminator() -> None:
    """With D(x) = log 3 for lines that begin with the first sign, they are chosen three times as often as another of two candidates."""
    task, nets = model("text-residual")
    task = task.replace(candidates=2)

    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.zeros(()), requires_grad=False)

        def forward(self, lines: torch.Tensor, mask: torch.Tensor, *_: Any) -> torch.Tensor:
            return lines[:, 0, 2] * np.log(3)

    ask = FromPrompt(seeds=tuple(range(3000)))
    plain = task.replace(candidates=1).generate(nets, ask, SPEC).lines
    p = np.mean([line.startswith("a") for line in plain])
    chosen = np.mean([line.startswith("a") for line in task.generate({**nets, "D": Known()}, ask, SPEC).lines])
    wanted = p * p + 2 * p * (1 - p) * 0.75
    assert abs(chosen - wanted) < 4 * np.sqrt(wanted / 3000) + 2 * abs(p) * 4 / np.sqrt(3000)
    assert chosen > p


@pytest.mark.parametrize("name", ["text-residual", "text-gumbel"])
def test_a_run_without_pretraining_leaves_the_language_model_as_it_is(name: str) -> None:
    """So that it can start from the weights of another run (`--from`)."""
    task: Any = build("task", {"name": name, "stage": 0})
    assert all(phase.loss != task.mle and phase.name != "LM" for phase in task.phases({}))
    assert [p.end for p in task.replace(stage=64).phases({}) if p.begin == 0] == [64]


def test_returns_are_discounted() -> None:
    from gancli.tasks.text_scratchgan import discounted

    rewards = torch.tensor([[1.0, 2.0, 4.0]])
    torch.testing.assert_close(discounted(rewards, 0.5), torch.tensor([[3.0, 4.0, 4.0]]))


def test_reinforce_gradients_are_those_of_the_expected_reward() -> None:
    """One token: the gradient of E[r] in the logits is p (r - E[r]); the mean over many samples comes near it."""
    torch.manual_seed(0)
    net, reward = LanguageModel(4, 0, 2, 2, 1, 0.0, False), torch.tensor([0.0, 1.0, -1.0, 0.5])
    torch.nn.init.zeros_(net.output.weight)  # the logits are the bias
    tokens = torch.randint(0, 4, (40_000, 1))
    loss = -(reward[tokens] * net.log_likelihood(tokens)).sum(1).mean()
    (found,) = torch.autograd.grad(loss, net.output.bias)
    torch.testing.assert_close(found, -(reward - reward.mean()) / 4, atol=0.01, rtol=0)


def test_gumbel_softmax_writes_lines_of_the_model() -> None:
    """Straight-through tokens have the probabilities of G, and gradients reach its weights."""
    from gancli.core.contracts import Tick
    from gancli.core.task import Context

    task, nets = model("text-gumbel")
    task = task.replace(stage=0, total=100)
    for p in nets["G"].parameters():
        p.requires_grad_(True)
    n = 4000
    batch = Batch({"tokens": torch.zeros(n, 9, dtype=torch.int64)})
    ctx = Context(nets, batch, Tick(0, 0, 50), SPEC, torch.Generator().manual_seed(0), 0, {}, total=n)
    fake = task._fake(ctx)
    torch.testing.assert_close(fake.detach().amax(2), torch.ones(n, 9), atol=1e-5, rtol=0)
    chances = nets["G"].step(torch.zeros(1, dtype=torch.int64), nets["G"].lstm.begin(1))[0].softmax(1)[0]
    torch.testing.assert_close(fake.detach()[:, 0].mean(0), chances.detach(), atol=0.03, rtol=0)
    gradients = torch.autograd.grad(fake[:, :, 3].sum(), nets["G"].lstm.weights[0])
    assert gradients[0].abs().sum() > 0
    assert task.inverse_temperature(0) == 1
    assert task.inverse_temperature(50) == pytest.approx(10)


@pytest.mark.parametrize("width", [0, 6])
def test_critics_do_not_read_what_follows_the_end(width: int) -> None:
    torch.manual_seed(0)
    net = ConvCritic(10, 0, 8, 4, 0.0, states=width).eval()
    states = torch.randn(2, 5, 6) if width else None
    tokens = torch.tensor([[3, 4, 0, 0, 0], [5, 0, 0, 0, 0]])
    other = tokens.clone()
    other[:, 3:] = 7
    logits = [net(F.one_hot(x, 10).float(), written(tokens), None, states) for x in (tokens, other)]
    torch.testing.assert_close(logits[0], logits[1])


def test_batches_have_tokens_and_labels() -> None:
    task, nets = model(spec=SPEC.replace(classes=3))
    batch = Batch({"tokens": torch.randint(1, 8, (4, 9)), "label": torch.tensor([0, 1, 2, 0])})
    loss = -task.likelihood(nets, batch["tokens"], batch["label"], SPEC.replace(classes=3))
    assert loss.shape == (4,)
