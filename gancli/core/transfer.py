"""Transfer learning: the part of the configuration that says which weights a run starts from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gancli.core.registry import Frozen


class Transfer(Frozen):
    """Transfer learning: weights that the nets start from."""

    weights: str | None = Field(
        None, description="run or model folder whose weights the nets start from; default: none"
    )
    freeze: dict[str, Annotated[int, Field(ge=1)]] = Field(
        {}, description="number of first layers of a net that keep their weights: {D = 2} is Freeze-D (2002.10964)"
    )
