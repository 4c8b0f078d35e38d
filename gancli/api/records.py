"""Scores as rows, for tables."""

from __future__ import annotations

from typing import Any

from gancli.evaluation.results import Evaluation


def records(result: Evaluation) -> list[dict[str, Any]]:
    """One row for each score, for `pandas.DataFrame`.

    Args:
        result: of `evaluate`.

    Returns:
        Dictionaries with score, features, value, error, reference and better.
    """
    out = []
    for key, score in result.scores.items():
        name, _, features = key.partition("@")
        out.append(
            {
                "score": name,
                "features": features or None,
                "value": score.value,
                "error": score.error,
                "reference": score.reference,
                "better": score.better,
            }
        )
    return out
