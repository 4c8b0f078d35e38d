"""Keras layers that have the weights of a net in torch, under the names that they have there."""

from __future__ import annotations

from math import gcd
from typing import Any

import keras
import numpy as np

from . import layers as own

BATCH_EPSILON = 1e-5


class Net:
    """A net whose layers are called as methods.

    Args:
        tensors: all weights by name.
        prefix: of the names of this net, with a dot at the end.
    """

    def __init__(self, tensors: dict[str, np.ndarray], prefix: str) -> None:
        self.tensors, self.prefix = tensors, prefix

    def at(self, name: str) -> Net:
        """A part of the net."""
        return Net(self.tensors, f"{self.prefix}{name}.")

    def has(self, name: str) -> bool:
        """Whether there is such a tensor."""
        return self.prefix + name in self.tensors

    def tensor(self, name: str, rows: int = 0) -> np.ndarray:
        """A tensor; a weight with spectral normalization (1802.05957) is divided by its largest singular value.

        Args:
            name: of the tensor.
            rows: the axis of its outputs.
        """
        if self.has(name):
            return self.tensors[self.prefix + name]
        layer, _, kind = name.rpartition(".")
        path = f"{self.prefix}{layer}.parametrizations.{kind}"
        weight = self.tensors[f"{path}.original"]
        u, v = self.tensors[f"{path}.0._u"], self.tensors[f"{path}.0._v"]
        plain: np.ndarray = weight / (u @ np.moveaxis(weight, rows, 0).reshape(len(u), -1) @ v)
        return plain

    def _apply(self, layer: Any, x: Any, **values: np.ndarray) -> Any:
        """Call a layer and set its weights."""
        y = layer(*x) if isinstance(x, tuple) else layer(x)
        for name, value in values.items():
            getattr(layer, name).assign(value)
        return y

    def _named(self, name: str) -> str:
        return (self.prefix + name).replace(".", "_")  # torch, as a backend, allows no dots

    def _bias(self, name: str) -> dict[str, np.ndarray]:
        return {"bias": self.tensor(f"{name}.bias")} if self.has(f"{name}.bias") else {}

    def dense(self, x: Any, name: str, activation: str | None = None) -> Any:
        """A linear layer."""
        kernel, bias = self.tensor(f"{name}.weight").T, self._bias(name)
        layer = keras.layers.Dense(kernel.shape[1], activation, use_bias=bool(bias), name=self._named(name))
        return self._apply(layer, x, kernel=kernel, **bias)

    def conv(
        self, x: Any, name: str, stride: int = 1, padding: str = "same", groups: int = 1, activation: Any = None
    ) -> Any:
        """A convolution."""
        kernel, bias = self.tensor(f"{name}.weight").transpose(2, 3, 1, 0), self._bias(name)
        layer = keras.layers.Conv2D(
            kernel.shape[3], kernel.shape[:2], stride, padding, groups=groups, activation=activation,
            use_bias=bool(bias), name=self._named(name),
        )  # fmt: skip
        return self._apply(layer, x, kernel=kernel, **bias)

    def reflected_conv(self, x: Any, name: str, stride: int = 1) -> Any:
        """A convolution with padding by reflection."""
        k = self.tensor(f"{name}.weight").shape[-1]
        return self.conv(own.Pad((k - 1) // 2, name=self._named(f"{name}.pad"))(x), name, stride, "valid")

    def up_conv(self, x: Any, name: str) -> Any:
        """Nearest-neighbor upsampling by 2 and a 3x3 convolution; the border is repeated."""
        x = keras.layers.UpSampling2D(2, interpolation="nearest", name=self._named(f"{name}.up"))(x)
        return self.conv(own.Pad(1, "symmetric", name=self._named(f"{name}.pad"))(x), name, padding="valid")

    def transposed(self, x: Any, name: str, size: tuple[int, int], activation: str | None = None) -> Any:
        """A transposed 4x4 convolution with stride 2 and padding 1, to maps of a size that is about twice as large."""
        kernel, bias = self.tensor(f"{name}.weight", rows=1).transpose(2, 3, 1, 0), self._bias(name)
        layer = keras.layers.Conv2DTranspose(
            kernel.shape[2], 4, 2, "valid", use_bias=bool(bias), name=self._named(name)
        )
        y = self._apply(layer, x, kernel=kernel, **bias)
        cut = tuple((1, full - 1 - side) for full, side in zip(y.shape[1:3], size, strict=True))
        y = keras.layers.Cropping2D(cut, name=self._named(f"{name}.cut"))(y)
        return y if activation is None else keras.layers.Activation(activation)(y)

    def norm(self, x: Any, kind: str, name: str) -> Any:
        """A normalization layer of a kind."""
        if kind == "none":
            return x
        if kind == "pixel":
            return own.PixelNorm(name=self._named(name))(x)
        affine = {"gamma": f"{name}.weight", "beta": f"{name}.bias"}
        values = {key: self.tensor(value) for key, value in affine.items() if self.has(value)}
        if kind == "batch":
            layer = keras.layers.BatchNormalization(
                momentum=0.9, epsilon=BATCH_EPSILON, center=bool(values), scale=bool(values), name=self._named(name)
            )
            values["moving_mean"] = self.tensor(f"{name}.running_mean")
            values["moving_variance"] = self.tensor(f"{name}.running_var")
            return self._apply(layer, x, **values)
        groups = {"layer": 1, "group": gcd(x.shape[-1], 32), "instance": x.shape[-1]}[kind]
        layer = keras.layers.GroupNormalization(groups, epsilon=BATCH_EPSILON, name=self._named(name))
        return self._apply(layer, x, **values)

    def equal_dense(self, x: Any, name: str, lr_multiplier: float = 1.0) -> Any:
        """A linear layer with equalized learning rate."""
        kernel, bias = self.tensor(f"{name}.weight").T, self._bias(name)
        layer = own.EqualDense(kernel.shape[1], lr_multiplier, bool(bias), name=self._named(name))
        return self._apply(layer, x, kernel=kernel, **bias)

    def equal_conv(self, x: Any, name: str) -> Any:
        """A convolution with equalized learning rate."""
        kernel, bias = self.tensor(f"{name}.weight").transpose(2, 3, 1, 0), self._bias(name)
        layer = own.EqualConv2D(kernel.shape[3], kernel.shape[0], bool(bias), name=self._named(name))
        return self._apply(layer, x, kernel=kernel, **bias)

    def modulated_conv(self, x: Any, w: Any, name: str, demodulate: bool = True) -> Any:
        """A convolution modulated by a style."""
        kernel = self.tensor(f"{name}.weight").transpose(2, 3, 1, 0)
        layer = own.ModulatedConv2D(kernel.shape[3], kernel.shape[0], demodulate, name=self._named(name))
        return self._apply(layer, (x, self.equal_dense(w, f"{name}.style")), kernel=kernel)

    def bias(self, x: Any, name: str) -> Any:
        """A bias per channel."""
        return self._apply(own.Bias(name=self._named(name)), x, bias=self.tensor(name))

    def strength(self, x: Any, name: str) -> Any:
        """A learned factor."""
        return self._apply(own.Strength(name=self._named(name)), x, factor=self.tensor(name))

    def learned_maps(self, factors: Any, name: str) -> Any:
        """Learned feature maps, weighted per channel."""
        maps = self.tensor(name).transpose(1, 2, 0)
        return self._apply(own.LearnedMaps(*maps.shape[:2], name=self._named(name)), factors, maps=maps)

    def constant(self, like: Any, name: str) -> Any:
        """Learned feature maps, as many as `like` has rows."""
        maps = self.tensor(name)[0].transpose(1, 2, 0)
        return self._apply(own.Constant(*maps.shape, name=self._named(name)), like, maps=maps)


def to_maps(x: Any, channels: int, height: int, width: int) -> Any:
    """[N, channels * height * width] -> [N, height, width, channels]; the channels are outermost in x."""
    return keras.layers.Permute((2, 3, 1))(keras.layers.Reshape((channels, height, width))(x))


def beside(z: Any, c: Any) -> Any:
    """z and the condition c, if there is one, in one vector."""
    return z if c is None else keras.layers.Concatenate()([z, c])


def resized(x: Any, size: tuple[int, int], mode: str) -> Any:
    """Images or feature maps of another size."""
    return own.Resize(*size, mode)(x)


def sizes_of(height: int, width: int) -> list[tuple[int, int]]:
    """The sizes of feature maps, the smallest first: halved while both sides are at least 8."""
    sizes = [(height, width)]
    while min(sizes[-1]) >= 8:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes[::-1]


def first_block(g: Net, x: Any, size: tuple[int, int]) -> Any:
    """The first block of the generator of progressive growing (1710.10196)."""
    x = g.equal_dense(x, "0")
    x = to_maps(x, x.shape[-1] // (size[0] * size[1]), *size)
    x = own.PixelNorm()(own.ScaledLeakyReLU()(x))
    return own.PixelNorm()(own.ScaledLeakyReLU()(g.equal_conv(x, "4")))


def later_block(g: Net, x: Any, size: tuple[int, int]) -> Any:
    """Upsampling and two convolutions with pixel norm."""
    x = resized(x, size, "nearest")
    for name in ("0", "3"):
        x = own.PixelNorm()(own.ScaledLeakyReLU()(g.equal_conv(x, name)))
    return x


def norm_or_none(g: Net, x: Any, kind: str, name: str, size: tuple[int, int] = (4, 4)) -> Any:
    """A normalization layer of a translator; none for maps below 4x4 in training."""
    return x if min(size) < 4 else g.norm(x, kind, name)
