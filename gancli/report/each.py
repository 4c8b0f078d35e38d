"""The values of each sample as a table, where a score is made of such values."""

from __future__ import annotations

import csv
import io

from gancli.evaluation.results import Evaluation, in_order


def as_csv(evaluation: Evaluation) -> str:
    """A line for each sample: its file, seed or number, then its value for each score that is made of values of samples.

    Args:
        evaluation: as it was made, not as it was read from a file.
    """
    n = len(evaluation.names)
    columns = {key: evaluation.scores[key].values for key in in_order(evaluation.scores)}
    columns = {key: values for key, values in columns.items() if len(values) == n}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["image", *columns])
    for name, *values in zip(evaluation.names, *columns.values(), strict=True):
        writer.writerow([name, *(f"{value:.9g}" for value in values)])
    return out.getvalue()
