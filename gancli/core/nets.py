"""Contracts of the parts that build nets: `Model` (generator and discriminator), `Translator` and `PatchCritic`, and `Condition`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gancli.core.contracts import Nets, Tick
from gancli.core.registry import Part
from gancli.core.specs import Images


@contextmanager
def on_meta() -> Iterator[None]:
    """Nets that are built here are on the meta device and not initialized: no memory, no random numbers, however large they are."""
    with torch.device("meta"), _Uninitialized():
        yield


class _Uninitialized(TorchFunctionMode):
    """Leaves out `nn.init`, whose `normal_` imports the whole of torch._dynamo on the meta device."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == nn.init.__name__ or func in (Tensor.normal_, Tensor.uniform_):
            return kwargs["tensor"] if "tensor" in kwargs else args[0]
        return func(*args, **kwargs)


class Trunk(nn.Module, ABC):
    """A discriminator without its last layer (the head, which a `Condition` builds).

    Attributes:
        out_features: width of the features.
    """

    out_features: int

    def wrap_head(self, head: nn.Module) -> nn.Module:
        """Reparametrize the head as the layers of this trunk are (spectral normalization, equalized learning rate).

        Args:
            head: the module from `Condition.head`; may be changed in place.

        Returns:
            The head to use.
        """
        return head

    @abstractmethod
    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Compute features.

        Args:
            x: images [N, C, H, W].
            c: condition vectors [N, condition], or None where the condition is not an input of the trunk.

        Returns:
            Features [N, out_features], or [N, P, out_features] of P critics with a logit each.
        """


MAX_WIDTH = 2**24  # upper bound of every integer option of a model


class Model(Part, ABC):
    """An architecture: builds a generator and a discriminator for a given image size.

    Attributes:
        single_scale: whether D's input is plain images. False: several scales packed in one tensor, to which
            augmentations and other transforms of images do not apply.
        z: width of the latent vector.
    """

    kind: ClassVar[str] = "model"
    single_scale: ClassVar[bool] = True
    z: int

    @model_validator(mode="after")
    def _widths_are_in_range(self) -> Model:
        """Reject widths whose number of weights would overflow in torch."""
        for key, value in self:
            if any(isinstance(n, int) and n > MAX_WIDTH for n in (value if isinstance(value, tuple) else (value,))):
                raise ValueError(f"{key} is larger than {MAX_WIDTH:,}")
        return self

    @abstractmethod
    def generator(self, spec: Images, condition: int) -> nn.Module:
        """Build the generator.

        Args:
            spec: channels and size of the images.
            condition: width of the condition vector; 0: unconditional.

        Returns:
            A module (z [N, z], c [N, condition] or None) -> images [N, C, H, W] in [-1, 1].

        Raises:
            UsageError: the model cannot be built for this size or with these options.
        """

    @abstractmethod
    def discriminator(self, spec: Images, condition: int) -> Trunk:
        """Build the discriminator without its head.

        Args:
            spec: channels and size of the images.
            condition: width of the condition vector; 0: the trunk gets none.

        Returns:
            A module (x [N, C, H, W], c [N, condition] or None) -> features, see `Trunk`.

        Raises:
            UsageError: the model cannot be built for this size or with these options.
        """

    def resolved(self, images: int, spec: Images) -> Self:  # noqa: ARG002
        """Resolve schedule options that are `None`. Called once; the result is written to config.json.

        Args:
            images: total number of training images.
            spec: channels and size of the images.

        Returns:
            A copy with all options set.
        """
        return self

    def prepare(self, nets: Nets, spec: Images, tick: Tick) -> None:
        """Set the state of the nets that depends on the schedule, such as the scale in progressive growing.

        Called before each turn and after nets are loaded.

        Args:
            nets: the nets of the task; changed in place.
            spec: channels and size of the images.
            tick: progress of training.
        """

    def view(self, nets: Nets, x: Tensor) -> Tensor:  # noqa: ARG002
        """Convert images to D's input: downsampled to the current scale, or packed with all smaller scales.

        Args:
            nets: the nets of the task, after `prepare`.
            x: images [N, C, H, W].

        Returns:
            D's input [N, C, H', W'].
        """
        return x


class Translator(Part, ABC):
    """An architecture that maps images to images of the same size, for translation and restoration.

    The net is fully convolutional: it is trained at one size and applied to images of any size.
    """

    kind: ClassVar[str] = "translator"

    @abstractmethod
    def net(self, inputs: int, outputs: int, size: tuple[int, int]) -> nn.Module:
        """Build the net.

        Args:
            inputs: channels of the input: those of the image, of a mask, of tiled noise.
            outputs: channels of the output.
            size: height and width of the training images.

        Returns:
            A module (x [N, inputs, H, W], features or None) -> [N, outputs, H, W], not bounded, of the size of the input.
            If `features` is a list, it appends the feature maps of its encoder. Its method `encode` (x) returns these alone.

        Raises:
            UsageError: the net cannot be built for this size or with these options.
        """

    @abstractmethod
    def grid(self, size: tuple[int, int]) -> int:
        """The period of the net: an input that is shifted by a multiple of it gives the shifted output.

        Args:
            size: height and width of the training images.
        """

    @abstractmethod
    def reach(self, size: tuple[int, int]) -> int | None:
        """How many pixels around it an output pixel depends on, apart from statistics of normalization.

        Args:
            size: height and width of the training images.

        Returns:
            The radius of the receptive field; None if it is the whole image (attention), which cannot be tiled.
        """


class PatchCritic(Part, ABC):
    """An architecture of a critic of patches (1611.07004, section 3.2.2)."""

    kind: ClassVar[str] = "critic"

    @abstractmethod
    def net(self, inputs: int, size: tuple[int, int]) -> nn.Module:
        """Build the net.

        Args:
            inputs: channels of the input: those of the image, and of a source or mask concatenated to it.
            size: height and width of the training images.

        Returns:
            A module (x [N, inputs, H, W], features or None) -> logits [N, P] of P patches, float32 whatever the compute
            dtype. If `features` is a list, it appends its hidden feature maps, for feature matching.

        Raises:
            UsageError: the net cannot be built for this size or with these options.
        """


class Condition(Part, ABC):
    """How labels and attributes enter the nets, as a condition vector c.

    Attributes:
        in_trunk: whether c is an input of D's trunk. False: of its head only.
        sampled: whether c is sampled in training instead of taken from the data (InfoGAN, 1606.03657).
        has_auxiliary: whether there is an auxiliary loss (AC-GAN, 1610.09585).
    """

    kind: ClassVar[str] = "condition"
    in_trunk: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    has_auxiliary: ClassVar[bool] = False

    @abstractmethod
    def width(self, spec: Images) -> int:
        """The width of c; 0: unconditional.

        Args:
            spec: of the data.

        Raises:
            UsageError: the data does not have the labels or attributes that the condition needs.
        """

    @abstractmethod
    def encode(
        self, y: Tensor | None, attributes: Tensor | None, spec: Images, noise: Tensor | None = None
    ) -> Tensor | None:
        """Encode labels and attributes as condition vectors.

        Args:
            y: labels, int64 [N], or None.
            attributes: [N, A], or None.
            spec: of the data.
            noise: standard normal [N, width], from which labels and attributes that are None are sampled.

        Returns:
            c [N, width], or None for an unconditional model.

        Raises:
            UsageError: labels or attributes are needed, and neither they nor noise are given.
        """

    def choices(self, spec: Images) -> tuple[int, int]:
        """The number of classes and of attributes that `encode` uses, that is, what can be chosen in sampling."""
        return spec.classes, spec.attributes

    def drawn_attributes(self, spec: Images) -> tuple[int, bool]:  # noqa: ARG002
        """How `encode` draws attributes: the first number of `noise` that it uses, and whether they are made uniform."""
        return 0, False

    @abstractmethod
    def head(self, features: int, spec: Images) -> nn.Module:
        """Build the last layer of D.

        Args:
            features: width F of the trunk's features.
            spec: of the data.

        Returns:
            A module (features [N, F], c [N, embedded_width] or None) -> logits [N]; for features [N, P, F], [N, P].
        """

    def embedded_width(self, spec: Images) -> int:
        """The width of c in G and in D's trunk, after `embedding`."""
        return self.width(spec)

    def embedding(self, spec: Images, net: Literal["G", "D"]) -> nn.Module | None:  # noqa: ARG002
        """Build a learned embedding c [N, width] -> [N, embedded_width] of a net, or None. Called once per net."""
        return None

    def auxiliary(self, head: nn.Module, features: Tensor, c: Tensor, fake: bool) -> Tensor:  # noqa: ARG002
        """The auxiliary loss, if `has_auxiliary`. D minimizes it on reals and fakes, G on fakes.

        Args:
            head: D's head.
            features: D's features [N, F] of reals or of fakes.
            c: condition vectors [N, width].
            fake: whether the features are of fakes.

        Returns:
            The weighted loss [N].
        """
        raise TypeError(f"condition {self.name!r} has no auxiliary loss")
