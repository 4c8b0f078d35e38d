"""Random numbers of a seed, by numpy. An exported folder contains these functions themselves."""

from gancli.core.exportable import Draw
from gancli.export.seeds import draw, normal

__all__ = ["Draw", "draw", "normal"]
