"""Negative log-likelihood of held-out lines, in nats per token, the end of a line included; of models that have a likelihood.

A perplexity is exp of it. Values of characters and of words do not compare. The baselines are n-gram models of the training lines.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from gancli.core.samples import Samples
from gancli.core.specs import Tokens
from gancli.core.text import TextSamples
from gancli.data.tokens import Vocabulary
from gancli.evaluation.contracts import Inputs, Metric, SampleSet, Score
from gancli.evaluation.lines import Text, per_token
from gancli.evaluation.ngrams import orders
from gancli.inference.capabilities import Likely
from gancli.inference.generator import Model

BATCH = 128  # lines


class NLL(Metric):
    name = "nll"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = ("nll",)
    space = "likelihood"
    rank = 11
    headlines = gives
    scores_baselines = True

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        model = inputs.fake.model
        if not isinstance(model, Model) or not isinstance(model.task, Likely):
            return {}
        value, error = per_token(*log_likelihoods(model, inputs.real))
        meaning = f"nats per token of {len(inputs.real):,} held-out lines (perplexity {np.exp(value):.4g})"
        return {"nll": Score(value, meaning, "lower", error, "analytic, over lines")}

    def baselines(self, inputs: Inputs) -> dict[str, dict[str, Score]]:
        text, out = Text(inputs), {}
        for order in orders(text.words):
            found = text.model(text.train, order).log_probabilities(text.tokens(text.real))
            value, error = per_token(*found)
            out[f"{order}-gram"] = {"nll": Score(value, "", "lower", error)}
        return out


@torch.no_grad()
def log_likelihoods(model: Model, lines: SampleSet[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The log-likelihoods of lines under a model.

    Args:
        model: whose task has a likelihood.
        lines: in the vocabulary of the model.

    Returns:
        In nats [N], and the tokens of each line [N].
    """
    spec, task = model.spec, model.task
    assert isinstance(spec, Tokens) and isinstance(task, Likely)  # noqa: PT018
    vocabulary = Vocabulary(spec.words, spec.separator)
    logs, sizes = [], []
    for chunk in lines.chunks(BATCH):
        tokens = vocabulary.encode([vocabulary.units(line) for line in chunk.lines], spec.length)
        labels = None if chunk.labels is None else torch.from_numpy(chunk.labels)
        found = task.likelihood(model.nets, torch.from_numpy(tokens.astype(np.int64)), labels, spec)
        logs.append(found.double().cpu().numpy())
        sizes.append(np.minimum((tokens > 0).sum(1) + 1, spec.length))
    return np.concatenate(logs), np.concatenate(sizes)
