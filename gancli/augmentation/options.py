"""The options of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, cast

from pydantic import Field

from gancli.augmentation.candidates import Filters
from gancli.augmentation.changes import Changes
from gancli.augmentation.classifiers.net import Net
from gancli.core.registry import Frozen, Part, build, of_kind, parts

if TYPE_CHECKING:
    from gancli.augmentation.contracts import Arm, Classifier
else:
    Arm = Annotated[Part, *of_kind("arm")]
    Classifier = Annotated[Part, *of_kind("classifier")]

Score = Literal["balanced-accuracy", "macro-f1", "recall", "f1"]


class Options(Frozen):
    """What is compared, and how."""

    to: str = Field("balanced", description="number of images per class: balanced, 1000, x2, NAME=500")
    seed: int = Field(0, ge=0, description="of the first new image of each class")
    filters: Filters = Filters()
    observer: Net = Field(Net(steps=1000), description="classifier of the training part behind the filters")
    classifier: Classifier = Field("net", validate_default=True, description="what is trained in each arm")
    arms: tuple[Arm, ...] = Field((), description="what is compared; default: all arms")
    seeds: int = Field(10, ge=1, le=1000, description="trainings of each arm")
    score: Score = Field("balanced-accuracy", description="what the verdict is about")
    changes: Changes = Field(Changes(), description="classical augmentation")
    agreements: tuple[float, ...] = Field((0.0, 0.5), description="agreements among which validation chooses")
    ratios: tuple[float, ...] = Field(
        (0.5, 1.0, 2.0), min_length=1, description="generated images per real one among which validation chooses"
    )
    choosing_seeds: int = Field(2, ge=1, description="trainings of each choice")

    def all_arms(self) -> list[Arm]:
        """The arms, in the order of tables."""
        found = list(self.arms) or [cast("Arm", build("arm", name)) for name in parts("arm")]
        return sorted(found, key=lambda arm: arm.place)
