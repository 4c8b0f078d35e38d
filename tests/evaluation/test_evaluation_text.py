"""Scores of text against independent implementations: NLTK, sacreBLEU, formulas written down again."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gancli.cli.tradeoff import temperatures
from gancli.core.errors import UsageError
from gancli.core.text import TextSamples
from gancli.data.tokens import TokenDataset, Vocabulary
from gancli.evaluation.baselines.ngram import Ngram
from gancli.evaluation.contracts import Score
from gancli.evaluation.curve import Curve, Point, verdict
from gancli.evaluation.evaluator import Evaluator
from gancli.evaluation.generated import Generated
from gancli.evaluation.lines import per_token
from gancli.evaluation.metrics.bleu import ORDERS, References, sentence_bleu
from gancli.evaluation.metrics.jsd import divergence, tallies
from gancli.evaluation.metrics.lines import Nearest, longest_span
from gancli.evaluation.ngrams import KneserNey
from tests.conftest import Gan

WORDS = [
    "the",
    "cat",
    "sat",
    "on",
    "the",
    "mat",
    "while",
    "a",
    "dog",
    "ran",
    "over",
    "the",
    "hill",
    "and",
    "the",
    "cat",
    "slept",
]


def sentences(n: int, seed: int = 0) -> list[list[str]]:
    random = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        at, row = int(random.integers(len(WORDS))), []
        for _ in range(int(random.integers(3, 9))):
            row.append(WORDS[at])
            at = (at + 1 if random.random() < 0.7 else int(random.integers(len(WORDS)))) % len(WORDS)
        out.append(row)
    return out


ROWS, OTHERS = sentences(60), sentences(25, 1)
VOCABULARY = Vocabulary.of_lines(ROWS, True, 1)
V = len(VOCABULARY.words)


def encoded(rows: list[list[str]]) -> np.ndarray:
    return VOCABULARY.encode(rows, 10)


def plain_kneser_ney(rows: np.ndarray, order: int, d: float = 0.75) -> Any:
    """The formula of `ngrams.py` with dictionaries."""
    top: Counter[tuple[int, ...]] = Counter()
    for row in rows.tolist():
        line = [V, *row[: row.index(0)], 0]
        for end in range(1, len(line)):
            for k in range(min(order - 1, end) + 1):
                top[tuple(line[end - k : end + 1])] += 1
    counts = {}
    for gram, n in top.items():
        raw = len(gram) == order or gram[0] == V
        counts[gram] = n if raw else len({g[0] for g in top if g[1:] == gram})
    follow: dict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
    for gram, n in counts.items():
        follow[gram[:-1]][gram[-1]] = n

    def p(word: int, history: tuple[int, ...]) -> float:
        lower = 1 / V if not history else p(word, history[1:])
        if history and history not in follow:
            return lower
        here = follow[history]
        return (max(here.get(word, 0) - d, 0) + d * len(here) * lower) / sum(here.values())

    return p


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_kneser_ney_is_its_formula(order: int) -> None:
    model, p = KneserNey(encoded(ROWS), V, order), plain_kneser_ney(encoded(ROWS), order)
    tokens = encoded([*OTHERS[:6], ["cat", "unheard", "mat"]])
    found, sizes = model.log_probabilities(tokens)
    for row, log, size in zip(tokens.tolist(), found, sizes, strict=True):
        line = [V, *row[: row.index(0)], 0]
        wanted = sum(math.log(p(line[i], tuple(line[max(0, i - order + 1) : i]))) for i in range(1, len(line)))
        assert size == len(line) - 1
        assert log == pytest.approx(wanted)
    assert sum(p(w, (V, VOCABULARY.numbers["the"])[: order - 1]) for w in range(V)) == pytest.approx(1)


def test_kneser_ney_is_that_of_nltk() -> None:
    """Bigrams; NLTK ends with the shares of continuations, to which the uniform distribution is added here."""
    lm = pytest.importorskip("nltk.lm", reason="nltk is not installed")
    from nltk.lm.preprocessing import padded_everygram_pipeline
    from nltk.lm.smoothing import KneserNey as Smoothing

    class Uniform(Smoothing):
        def unigram_score(self, word: str) -> float:
            known = {w: self._continuation_counts(w)[0] for w in self.vocab if w != "<s>"}
            kinds, total = sum(n > 0 for n in known.values()), sum(known.values())
            return (max(known[word] - self.discount, 0) + self.discount * kinds / V) / total

    theirs = lm.KneserNeyInterpolated(2, discount=0.75)
    theirs.fit(*padded_everygram_pipeline(2, ROWS))
    theirs.estimator = Uniform(theirs.vocab, theirs.counts, 2, 0.75)
    ours = KneserNey(encoded(ROWS), V, 2)
    for row in OTHERS[:5]:
        line = ["<s>", *row, "</s>"]
        wanted = sum(math.log(theirs.score(b, [a])) for a, b in pairwise(line))
        assert ours.log_probabilities(encoded([row]))[0][0] == pytest.approx(wanted)


def test_samples_of_a_model_have_its_probabilities() -> None:
    tokens = np.array([[1, 2, 0], [1, 1, 0], [2, 0, 0], [1, 2, 0]])
    model = KneserNey(tokens, 3, 3)
    made = model.sample(20_000, np.random.default_rng(0))
    seen = Counter(map(tuple, made.tolist()))
    grid = np.array([line for line in seen if 0 in line])
    for line, log in zip(grid.tolist(), model.log_probabilities(grid)[0], strict=True):
        p = math.exp(log)
        assert abs(seen[tuple(line)] / 20_000 - p) < 5 * math.sqrt(p / 20_000) + 1e-4


@pytest.mark.parametrize("without", [False, True])
def test_bleu_is_that_of_nltk(without: bool) -> None:
    bleu = pytest.importorskip("nltk.translate.bleu_score", reason="nltk is not installed")
    references = References(ROWS)
    lines = ROWS[:12] if without else [*OTHERS, ["cat"], ["zebra"]]
    for i, row in enumerate(lines):
        others = [other for j, other in enumerate(ROWS) if not (without and i == j)]
        ours = sentence_bleu(row, references, i if without else None)
        for n, found in zip(ORDERS, ours, strict=True):
            wanted = bleu.sentence_bleu(
                others, row, [1 / n] * n, smoothing_function=bleu.SmoothingFunction(epsilon=0.1).method1
            )
            assert found == pytest.approx(wanted, abs=1e-9)


def test_bleu_is_that_of_sacrebleu() -> None:
    sacrebleu = pytest.importorskip("sacrebleu", reason="sacrebleu is not installed")
    theirs = sacrebleu.BLEU(tokenize="none", smooth_method="none", max_ngram_order=2, effective_order=False)
    references, checked = References(ROWS), 0
    for row in OTHERS:
        wanted = theirs.sentence_score(" ".join(row), [" ".join(other) for other in ROWS])
        if all(wanted.counts):
            checked += 1
            assert 100 * sentence_bleu(row, references)[0] == pytest.approx(wanted.score, abs=1e-6)
    assert checked > 10


def test_jsd_is_its_formula() -> None:
    distance = pytest.importorskip("scipy.spatial.distance").jensenshannon
    for n in (1, 2, 3):
        a, b = (
            Counter(tuple([*row, "."][i : i + n]) for row in rows for i in range(len(row) + 2 - n))
            for rows in (ROWS, OTHERS)
        )
        keys = sorted(a.keys() | b.keys())
        wanted = distance([a[k] for k in keys], [b[k] for k in keys], 2) ** 2
        ours = [side.sum(0) for side in tallies(encoded(ROWS), encoded(OTHERS), n, V)]
        assert divergence(*ours) == pytest.approx(wanted)


def test_edit_distance_is_its_recursion() -> None:
    def distance(a: list[str], b: list[str]) -> int:
        row = list(range(len(b) + 1))
        for i, x in enumerate(a):
            last, row = row, [i + 1]
            for j, y in enumerate(b):
                row.append(min(last[j] + (x != y), last[j + 1] + 1, row[j] + 1))
        return row[-1]

    near = Nearest(ROWS)
    for row in (*OTHERS, ["unheard"], [], ROWS[3]):
        assert near(row) == min(distance(row, other) for other in ROWS)


def test_the_longest_span_is_in_a_line() -> None:
    whole = "\n".join(f" {' '.join(row)} " for row in ROWS)
    for row in OTHERS:
        spans = [(j - i) for i in range(len(row)) for j in range(i + 1, len(row) + 1)
                 if any(other[k : k + j - i] == row[i:j] for other in ROWS for k in range(len(other)))]  # fmt: skip
        assert longest_span(row, whole, " ") == max(spans, default=0)
    assert longest_span(list("xabc"), "zabcz\nqq", "") == 3


def test_the_error_of_a_ratio_is_that_of_a_bootstrap() -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(3, 9, 400)
    log = -sizes * random.gamma(4, 0.5, 400)
    value, error = per_token(log, sizes)
    picks = random.integers(0, 400, (2000, 400))
    found = -log[picks].sum(1) / sizes[picks].sum(1)
    assert value == pytest.approx(found.mean(), rel=0.01)
    assert error == pytest.approx(found.std(), rel=0.1)


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    rows = [list(row) for row in {tuple(row): 0 for row in sentences(400, 2)}]
    vocabulary = Vocabulary.of_lines(rows, True, 1)
    data = TokenDataset(vocabulary.encode(rows, 10), vocabulary)
    train, test = data.take(slice(0, 280)), data.take(slice(280, None))
    return Evaluator(train, test, cache_dir=tmp_path_factory.mktemp("cache"), n=100, features="text-ngrams")  # type: ignore[arg-type]


def test_scores_tell_good_from_bad_lines(evaluator: Evaluator) -> None:
    good = TextSamples(tuple(" ".join(row) for row in sentences(100, 3)), words=True)
    random = np.random.default_rng(0)
    noise = TextSamples(tuple(" ".join(random.choice(WORDS, 5)) for _ in range(100)), words=True)
    same = TextSamples(("the cat sat on the mat",) * 100, words=True)
    copies = evaluator.data.samples().take(slice(0, 100))
    scores = {
        name: {k.split("@")[0]: s for k, s in evaluator(Generated(x)).scores.items()}
        for name, x in (("good", good), ("noise", noise), ("same", same), ("copies", copies))
    }
    assert scores["good"].keys() >= {
        "lm-score",
        "reverse-lm-score",
        "jsd-4",
        "bleu-5",
        "self-bleu-2",
        "fed",
        "unique",
        "copies",
    }
    for name in ("fed", "reverse-lm-score", "jsd-2"):
        assert all(scores["good"][name].value < scores[other][name].value for other in ("noise", "same"))
        assert "3-gram" in scores["good"][name].baselines
    score = scores["good"]["lm-score"]
    assert abs(score.value - score.reference) < 3 * (score.error or 0) + 0.1
    assert scores["noise"]["lm-score"].value > score.value + 0.3
    assert scores["same"]["unique"].value == 0.01
    assert scores["same"]["self-bleu-4"].value == pytest.approx(1)
    assert scores["copies"]["copies"].value == 1
    assert scores["copies"]["copies"].reference == 0
    assert scores["copies"]["nearest-line"].value == 0
    assert scores["good"]["nearest-line"].value > 0
    assert scores["good"]["length-jsd"].value < scores["noise"]["length-jsd"].value
    assert "nll" not in scores["good"]


def test_ngram_baselines_are_distinct_models(evaluator: Evaluator) -> None:
    made = Ngram().samples(evaluator.data.samples(), 50, 0)
    assert list(made) == ["2-gram", "3-gram", "4-gram"]
    assert len({m.lines for m in made.values()}) == 3  # type: ignore[attr-defined]
    assert made["2-gram"].lines == Ngram().samples(evaluator.data.samples(), 50, 0)["2-gram"].lines  # type: ignore[attr-defined]


def test_a_run_and_a_file_of_lines_are_evaluated(gan: Gan, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("".join(" ".join(row) + f" {i}\n" for i, row in enumerate(sentences(300, 5))))
    said = gan(
        "train", "--data", tmp_path / "a.txt", "--unit", "word", "--preset", "text-lm", "--max-steps", 8, "--batch-size", 16,
        "--set", "task.width=16", "--evaluate-every", 64, "--name", "t", "--threads", 1,
    )  # fmt: skip
    assert said.code == 0, said.err
    assert "validation  nll@likelihood" in said.err
    run = tmp_path / "runs_dir" / "t"
    said = gan("evaluate", run, "--n", 60, "--features", "text-lstm", "--metrics", "nll,lm-score,fed,lines")
    assert said.code == 0, said.err
    found = json.loads((run / "evaluation.json").read_text())["scores"]
    assert found["nll@likelihood"]["baselines"].keys() == {"2-gram", "3-gram", "4-gram"}
    assert any(name.startswith("fed@text-lstm-") for name in found)
    assert (run / "evaluation.png").stat().st_size > 10_000
    gan("sample", run, "--n", 60, "--out", tmp_path / "s.txt")
    said = gan("evaluate", "--images", tmp_path / "s.txt", "--against", tmp_path / "a.txt", "--metrics", "lines,jsd")
    assert said.code == 0, said.err


def test_models_are_compared_at_the_quality_of_real_lines() -> None:
    def curve(name: str, reverse: tuple[float, ...]) -> Curve:
        points = []
        for t, quality, value in zip((0.8, 1.0, 1.2), (2.0, 2.2, 2.6), reverse, strict=True):
            scores = {
                "q": Score(quality, "", "reference", 0.01, reference=2.3),
                "v": Score(value, "", "lower", 0.01, reference=2.0),
            }
            points.append(Point(t, scores))
        return Curve(name, points)

    one, other = curve("one", (2.5, 2.4, 2.2)), curve("other", (2.5, 2.6, 2.6))
    assert one.at("q", 2.3, "v") == pytest.approx((2.35, math.hypot(0.75 * 0.01, 0.25 * 0.01), 1.05))
    assert one.at("q", 3.0, "v") is None
    (said,) = verdict(one, other, ("q", "v"))
    assert said.startswith("at q 2.3 (temperature 1.05) one has v 2.35 ")
    assert "other 2.6" in said
    assert "better (-0.25" in said
    assert "no difference" in verdict(one, one, ("q", "v"))[0]
    assert "does not reach" in verdict(Curve("far", one.points[:1]), None, ("q", "v"))[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [("0.8-1.1", [0.8, 0.9, 1.0, 1.1]), ("0.5,2", [0.5, 2.0]), ("1", None), ("2-1", None), ("0-1", None), ("x", None)],
)
def test_temperatures(text: str, found: list[float] | None) -> None:
    if found is None:
        with pytest.raises(UsageError, match="--temperatures"):
            temperatures(text)
    else:
        assert temperatures(text) == found
