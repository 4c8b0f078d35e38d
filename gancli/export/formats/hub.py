"""A folder for a model hub: weights as safetensors, the architecture, and a model card with a YAML head.

`gancli.load` reads the folder, also after it was downloaded. Upload it with the hub's own client: hf upload USER/NAME FOLDER
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from gancli.core.errors import CheckpointError
from gancli.export import cards
from gancli.export.contracts import Export, Runner, Source, by_torch
from gancli.inference.generator import describe
from gancli.runs import tensors
from gancli.runs.files import as_json
from gancli.runs.folder import Run


class Hub(Export):
    name = "hub"

    def write(self, source: Source, path: Path) -> None:
        path.mkdir()
        model = source.model
        (path / "model.safetensors").write_bytes(b"".join(tensors.encode(model.weights, {"format": "pt"})))
        (path / "config.json").write_bytes(as_json(describe(model)))
        (path / "README.md").write_text(card(source))

    def runner(self, source: Source, path: Path) -> Runner | None:
        loaded = Source(path, direction=source.direction).exportable
        return lambda inputs: by_torch(loaded, inputs)


def card(source: Source) -> str:
    """The model card."""
    facts = source.facts
    data = str(facts["data"])
    top = cards.head(
        source.name, source.model.task.asks, str(facts["task"]), facts["preset"], data, source.license, _scores(source)
    )
    weights = "EMA weights" if facts["ema"] else "raw weights"
    return (
        f"{top}\n# {json.dumps(source.name)[1:-1]}\n\nA GAN trained by `gan` ({weights}, step {facts['step']:,}): task "
        f"`{facts['task']}`, preset `{facts['preset']}`, data `{json.dumps(data)[1:-1]}`.\n\n"
        '```python\nimport gancli\n\nmodel = gancli.load("FOLDER")  # the folder that was downloaded\n```\n\n'
        f"SHA-256 of the weights: `{facts['weights_sha256']}`. Nothing in this folder is a pickle.\n"
    )


def _scores(source: Source) -> list[dict[str, Any]]:
    """The scores of `gan evaluate`, if they are of this step."""
    with suppress(CheckpointError, KeyError, TypeError, AttributeError):
        found = Run(source.path).json("evaluation.json")
        if found["protocol"]["fakes"]["step"] == source.model.tick.step:
            return cards.of_evaluation(found)
    return []
