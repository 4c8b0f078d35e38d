"""Language model score and reverse language model score (1804.07972; 1811.02549): quality, and quality with variety.

Both are negative log-likelihoods per token of Kneser-Ney n-gram models of one order, the end of a line included:

    lm-score            of the samples, under a model of the data that the samples are compared with (not of the training set)
    reverse-lm-score    of these data, under a model of the samples

Nothing is trained twice on the same lines, so copies of training lines gain nothing. The best value of the first is that of real
lines, not the least; the second depends on the number of samples, so the reference has as many.
"""

from __future__ import annotations

from typing import ClassVar

from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.evaluation.contracts import Chart, Inputs, Metric, Score, too_few
from gancli.evaluation.lines import Text, per_token

CHART = Chart("Language model scores", "nats per token; blue: samples, gray: real lines")


class LMScore(Metric):
    name = "lm-score"
    accepts: ClassVar[type[Samples]] = TextSamples
    gives = ("lm-score", "reverse-lm-score")
    space = "ngrams"
    rank = 12
    headlines = gives
    scores_baselines = True
    charts: ClassVar[dict[str, Chart]] = {"lm-score": CHART, "reverse-lm-score": CHART}

    def objection(self, inputs: Inputs) -> str:
        return too_few(inputs, 20)

    def compute(self, inputs: Inputs) -> dict[str, Score]:
        text = Text(inputs)
        order = text.order
        own = inputs.shared_by_reals("text model", lambda: text.model(text.real, order))
        quality, error = per_token(*own.log_probabilities(text.tokens(text.fake)))
        reverse, spread = per_token(*text.model(text.fake, order).log_probabilities(text.tokens(text.real)))
        how, n = "analytic, over lines", len(text.fake)
        return {
            "lm-score": Score(
                quality,
                f"nats per token of samples under a {order}-gram model of held-out lines",
                "reference",
                error,
                how,
            ),
            "reverse-lm-score": Score(
                reverse,
                f"nats per token of held-out lines under a {order}-gram model of {n:,} samples",
                "lower",
                spread,
                how,
            ),
        }
