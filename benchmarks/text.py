"""Measurements of text: n-gram models on given splits, and the tables of docs/text.md.

    python benchmarks/text.py ngrams --data FOLDER         # surnames.txt and glosses.jsonl in it
    python benchmarks/text.py table RUN RUN ...            # evaluated by gan evaluate RUN

Results are written to docs/results/text-*.json and printed as tables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from gancli.core.text import units
from gancli.data.tokens import Vocabulary
from gancli.evaluation.lines import per_token
from gancli.evaluation.metrics.jsd import divergence, tallies
from gancli.evaluation.ngrams import KneserNey

RESULTS = Path(__file__).parents[1] / "docs" / "results"
HELD = 2_000  # lines that are held out
SETS = {  # name: lines to train, to evaluate by, samples, orders, units are words, least and largest length, known rows
    "surnames": (50_000, 30_799, 4_000, (2, 3, 4, 5), False, (1, 99), {2: 2.566, 3: 2.327, 4: 2.210, 5: 2.167}),
    "glosses": (32_000, 18_488, 2_000, (4, 6), False, (12, 48), {4: 1.609, 6: 1.268}),
    "glosses, words": (32_000, 18_488, 2_000, (3,), True, (12, 48), {3: 5.307}),
}


def ngrams(folder: Path, seed: int) -> dict[str, Any]:
    """Held-out NLL, JSD, language model scores, unique and copies of n-gram models, on a random split of this seed."""
    out: dict[str, Any] = {}
    for name, (n, other, size, orders, words, (least, most), known) in SETS.items():
        lines = _lines(folder, name)
        lines = [line for line in dict.fromkeys(lines) if least <= len(line) <= most]
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(lines))
        rows = [units(lines[i], words) for i in order]
        train, held, scorer = rows[:n], rows[n : n + HELD], rows[n + HELD : n + HELD + other]
        vocabulary = Vocabulary.of_lines(train, words, 2 if words else 1)
        v = len(vocabulary.words)
        longest = max(map(len, rows)) + 1
        encoded = [vocabulary.encode(part, longest) for part in (train, scorer, held)]
        independent = KneserNey(encoded[1], v, max(orders))
        random = np.random.Generator(np.random.PCG64(seed))
        found = {"reals": encoded[0][random.permutation(n)[:size]]}
        models = {k: KneserNey(encoded[0], v, k) for k in orders}
        found |= {f"{k}-gram": model.sample(size, random) for k, model in models.items()}
        table: dict[str, Any] = {"train": n, "held-out": len(held), "scorer": len(scorer), "vocabulary": v, "rows": {}}
        copies = set(map(tuple, encoded[0].tolist()))
        for row, tokens in found.items():
            k = int(row[0]) if row[0].isdigit() else 0
            nll = per_token(*models[k].log_probabilities(encoded[2]))[0] if k else None
            jsd = [divergence(*(t.sum(0) for t in tallies(tokens, encoded[2], i, v))) for i in range(1, 5)]
            score = per_token(*independent.log_probabilities(tokens))[0]
            reverse = per_token(*KneserNey(tokens, v, max(orders)).log_probabilities(encoded[2]))[0]
            lists = list(map(tuple, tokens.tolist()))
            table["rows"][row] = {
                "nll": nll, "known": known.get(k), "jsd": jsd, "lm-score": score, "reverse-lm-score": reverse,
                "unique": len(set(lists)) / size, "copies": float(np.mean([x in copies for x in lists])) if k else 0.0,
            }  # fmt: skip
            print(name, row, json.dumps(table["rows"][row]), flush=True)
        out[name] = table
    return out


def _lines(folder: Path, name: str) -> list[str]:
    if name == "surnames":
        return (folder / "surnames.txt").read_text().splitlines()
    return [json.loads(line)["text"] for line in (folder / "glosses.jsonl").read_text().splitlines()]


COLUMNS = (
    "nll", "lm-score", "reverse-lm-score", "fed", "jsd-4", "bleu-4", "self-bleu-4", "unique", "copies", "copied-span",
    "nearest-line", "valid-words",
)  # fmt: skip


def table(runs: list[Path]) -> str:
    """Markdown of the scores of evaluated runs, with the reference and the n-gram models of the first."""
    rows: dict[str, dict[str, str]] = {}
    for run in runs:
        scores = json.loads((run / "evaluation.json").read_text())["scores"]
        for name, score in scores.items():
            column = name.split("@")[0]
            if run == runs[0]:
                rows.setdefault("real lines", {})[column] = _number(score["reference"])
                for other, value in score["baselines"].items():
                    rows.setdefault(other, {})[column] = _number(value)
            rows.setdefault(run.name, {})[column] = _number(score["value"], score["error"])
    text = [f"| | {' | '.join(COLUMNS)} |", f"|{'-|' * (len(COLUMNS) + 1)}"]
    text += [f"| {name} | {' | '.join(row.get(c, '') for c in COLUMNS)} |" for name, row in rows.items()]
    return "\n".join(text)


def _number(value: float | None, error: float | None = None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" + (f" ± {1.96 * error:.3f}" if error else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ngrams", "table"))
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.what == "ngrams":
        RESULTS.mkdir(exist_ok=True)
        found = ngrams(options.data, options.seed)
        (RESULTS / "text-ngrams.json").write_text(json.dumps(found, indent=1) + "\n")
    else:
        print(table(options.runs))


if __name__ == "__main__":
    main()
