"""`text-lstm`: mean states of a small language model, trained once on the training lines, as features of lines.

Its architecture and seed are not those of the presets, so that no generator is evaluated by its own twin. The weights are kept under the
cache folder, named by the training lines and the recipe.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from gancli.core.data import Dataset
from gancli.core.errors import CheckpointError
from gancli.core.samples import Samples
from gancli.core.text import TextSamples
from gancli.data.cache import fingerprint
from gancli.data.tokens import Vocabulary
from gancli.evaluation.contracts import Extractor, Features, Passed, Progress, silent
from gancli.evaluation.weights import expect, keep, kept
from gancli.models.lstm import LanguageModel, shortened, written

BATCH = 64
EMBEDDING, LONGEST, MOST = 32, 128, 4096  # units of a line that are read; tokens of the vocabulary


class TextLSTM(Features):
    name = "text-lstm"
    accepts: ClassVar[type[Samples]] = TextSamples
    seed: int = Field(1234, description="of the weights and of the order of the lines")
    width: int = Field(128, ge=1, description="of the states")
    lines: int = Field(30_000, ge=1, description="training lines seen in all, repeats counted")

    @classmethod
    def suits(cls, train: Dataset) -> int:  # noqa: ARG003
        return 2

    def prepare(self, train: Dataset, cache_dir: Path, device: torch.device, progress: Progress = silent) -> Extractor:
        data = train.samples()
        assert isinstance(data, TextSamples)
        vocabulary = _vocabulary(data)
        net, digest = self._trained(data, vocabulary, cache_dir, progress)
        net = net.to(device).eval()

        def forward(samples: Any) -> Passed:
            tokens = _tokens(samples.lines, vocabulary).to(device)
            mask = written(tokens)[:, :, None]
            states = net.states(tokens)
            return (states * mask).sum(1) / mask.sum(1), None

        rule = f"lines of up to {LONGEST} units"
        return Extractor(f"{self.name}-{digest[:8]}", digest, rule, forward)

    def _trained(
        self, data: TextSamples, vocabulary: Vocabulary, cache_dir: Path, progress: Progress
    ) -> tuple[LanguageModel, str]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            net = LanguageModel(len(vocabulary.words), 0, EMBEDDING, self.width, 1, 0.0, False)
        recipe = fingerprint(self.seed, self.width, self.lines, list(vocabulary.words))
        path = cache_dir / "classifier" / f"{fingerprint(list(data.lines))[:20]}-{recipe[:12]}.safetensors"
        found = kept(path)
        if found is not None:
            try:
                expect(found[0], {k: tuple(v.shape) for k, v in net.state_dict().items()}, str(path))
                net.load_state_dict(found[0])
                return net, found[1]
            except CheckpointError:
                pass
        tokens = _tokens(data.lines, vocabulary)
        optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
        steps = max(20, min(self.lines, 20 * len(tokens)) // BATCH)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps + 1)
        random, order = torch.Generator().manual_seed(self.seed), torch.empty(0, dtype=torch.int64)
        with torch.enable_grad():
            for step in range(steps):
                while len(order) < BATCH:
                    order = torch.cat([order, torch.randperm(len(tokens), generator=random)])
                index, order = order[:BATCH], order[BATCH:]
                self._step(net, shortened(tokens[index]), optimizer)
                schedule.step()
                progress("language model of features", step + 1, steps)
        net.requires_grad_(False)
        return net, keep(path, {k: v.contiguous() for k, v in net.state_dict().items()})

    @staticmethod
    def _step(net: LanguageModel, tokens: Tensor, optimizer: torch.optim.Optimizer) -> None:
        loss = -net.log_likelihood(tokens).sum() / written(tokens).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _vocabulary(data: TextSamples) -> Vocabulary:
    from gancli.core.text import units

    whole = Vocabulary.of_lines([units(line, data.words) for line in data.lines], data.words, 2)
    return Vocabulary(whole.words[:MOST], whole.separator)


def _tokens(lines: tuple[str, ...], vocabulary: Vocabulary) -> Tensor:
    rows = [vocabulary.units(line) for line in lines]
    length = min(LONGEST, max(map(len, rows), default=0)) + 1
    return torch.from_numpy(vocabulary.encode(rows, length).astype(np.int64))
