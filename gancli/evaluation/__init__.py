"""Samples against data: features, metrics, scores with their protocol.

For features of your own: `fid`, `kid`, `fid_infinity`, `precision_recall`, `density_coverage`, `inception_score`, `c_t`, `auth_pct`,
`fld` (`scores.py`), and `FeatureSet` with `evaluate_features` (`own.py`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gancli.evaluation.own import FeatureSet, evaluate_features
    from gancli.evaluation.scores import (
        auth_pct,
        c_t,
        density_coverage,
        fid,
        fid_infinity,
        fld,
        inception_score,
        kid,
        precision_recall,
    )

__all__ = [
    "FeatureSet",
    "auth_pct",
    "c_t",
    "density_coverage",
    "evaluate_features",
    "fid",
    "fid_infinity",
    "fld",
    "inception_score",
    "kid",
    "precision_recall",
]


def __getattr__(name: str) -> Any:
    """The public functions are imported when they are used."""
    if name not in __all__:
        raise AttributeError(f"module 'gancli.evaluation' has no attribute {name!r}")
    of = "own" if name in ("FeatureSet", "evaluate_features") else "scores"
    return getattr(import_module(f"gancli.evaluation.{of}"), name)
