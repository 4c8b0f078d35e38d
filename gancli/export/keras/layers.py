"""Layers that Keras does not have, for channels-last images. All are registered, so that `safe_mode=True` loads them."""

from __future__ import annotations

from math import sqrt
from typing import Any

import keras
import numpy as np
from keras import ops

registered = keras.saving.register_keras_serializable(package="gan")


class Layer(keras.layers.Layer):  # type: ignore[misc]
    """A layer whose constructor arguments are `options`, which its configuration contains."""

    options: tuple[str, ...] = ()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{key: getattr(self, key) for key in self.options}}


@registered
class PixelNorm(Layer):
    """x / sqrt(mean over channels of x^2 + 1e-8) (1710.10196, section 4.2)."""

    def call(self, x: Any) -> Any:
        return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8)


@registered
class ScaledLeakyReLU(Layer):
    """Leaky ReLU (0.2) with a gain of sqrt(2) (1812.04948)."""

    def call(self, x: Any) -> Any:
        return ops.leaky_relu(x, 0.2) * sqrt(2)


@registered
class EqualDense(Layer):
    """Linear layer with equalized learning rate (1710.10196, section 4.1): the kernel is scaled when it is used."""

    options = ("units", "lr_multiplier", "use_bias")

    def __init__(self, units: int, lr_multiplier: float = 1.0, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.lr_multiplier, self.use_bias = units, lr_multiplier, use_bias

    def build(self, shape: Any) -> None:
        self.scale = self.lr_multiplier / sqrt(shape[-1])
        self.kernel = self.add_weight(shape=(shape[-1], self.units), initializer="random_normal", name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias") if self.use_bias else None

    def call(self, x: Any) -> Any:
        x = ops.matmul(x, self.kernel * self.scale)
        return x if self.bias is None else x + self.bias * self.lr_multiplier


@registered
class EqualConv2D(Layer):
    """Convolution with equalized learning rate and `same` padding."""

    options = ("filters", "kernel_size", "use_bias")

    def __init__(self, filters: int, kernel_size: int, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.use_bias = filters, kernel_size, use_bias

    def build(self, shape: Any) -> None:
        k = self.kernel_size
        self.scale = 1 / sqrt(shape[-1] * k * k)
        self.kernel = self.add_weight(shape=(k, k, shape[-1], self.filters), initializer="random_normal", name="kernel")
        self.bias = self.add_weight(shape=(self.filters,), name="bias") if self.use_bias else None

    def call(self, x: Any) -> Any:
        x = ops.conv(x, self.kernel * self.scale, padding="same")
        return x if self.bias is None else x + self.bias


@registered
class ModulatedConv2D(Layer):
    """Weight modulation and demodulation (StyleGAN2, 1912.04958, equations 1 and 3): (x [N, H, W, a], style [N, a]).

    Instead of a convolution with different weights for each sample, the feature maps are scaled before and after one shared
    convolution.
    """

    options = ("filters", "kernel_size", "demodulate")

    def __init__(self, filters: int, kernel_size: int, demodulate: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.demodulate = filters, kernel_size, demodulate

    def build(self, x_shape: Any, style_shape: Any) -> None:  # noqa: ARG002
        k = self.kernel_size
        self.scale = 1 / sqrt(x_shape[-1] * k * k)
        self.kernel = self.add_weight(
            shape=(k, k, x_shape[-1], self.filters), initializer="random_normal", name="kernel"
        )

    def call(self, x: Any, style: Any) -> Any:
        kernel = self.kernel * self.scale
        x = ops.conv(x * style[:, None, None, :], kernel, padding="same")
        if self.demodulate:
            power = ops.sum(ops.square(kernel), axis=(0, 1))  # [a, filters]
            x = x * ops.rsqrt(ops.matmul(ops.square(style), power) + 1e-8)[:, None, None, :]
        return x


@registered
class Bias(Layer):
    """Adds a bias per channel."""

    def build(self, shape: Any) -> None:
        self.bias = self.add_weight(shape=(shape[-1],), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        return x + self.bias


@registered
class Strength(Layer):
    """A learned number times the input: the strength of noise, or of attention."""

    def build(self, shape: Any) -> None:  # noqa: ARG002
        self.factor = self.add_weight(shape=(), initializer="zeros", name="factor")

    def call(self, x: Any) -> Any:
        return x * self.factor


@registered
class LearnedMaps(Layer):
    """Learned feature maps [h, w, channels], one factor per channel: factors [N, channels] -> [N, h, w, channels]."""

    options = ("height", "width")

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def build(self, shape: Any) -> None:
        size = (self.height, self.width, shape[-1])
        self.maps = self.add_weight(shape=size, initializer="random_normal", name="maps")

    def call(self, factors: Any) -> Any:
        return self.maps * factors[:, None, None, :]


@registered
class Constant(Layer):
    """Learned feature maps, the same for all samples: anything [N, ...] -> [N, height, width, channels]."""

    options = ("height", "width", "channels")

    def __init__(self, height: int, width: int, channels: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width, self.channels = height, width, channels

    def build(self, shape: Any) -> None:  # noqa: ARG002
        size = (self.height, self.width, self.channels)
        self.maps = self.add_weight(shape=size, initializer="random_normal", name="maps")

    def call(self, x: Any) -> Any:
        return ops.broadcast_to(self.maps, (ops.shape(x)[0], self.height, self.width, self.channels))

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.height, self.width, self.channels)


@registered
class Pad(Layer):
    """Extends images at all borders: mode "reflect" does not repeat the edge, "symmetric" does."""

    options = ("pixels", "mode")

    def __init__(self, pixels: int, mode: str = "reflect", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pixels, self.mode = pixels, mode

    def call(self, x: Any) -> Any:
        n = self.pixels
        return ops.pad(x, [[0, 0], [n, n], [n, n], [0, 0]], mode=self.mode)

    def compute_output_shape(self, shape: Any) -> Any:
        n, h, w, c = shape
        return (n, h and h + 2 * self.pixels, w and w + 2 * self.pixels, c)


@registered
class Resize(Layer):
    """Resamples to a fixed size as torch does: "nearest", "bilinear" (half-pixel centers), or "mean" over what a pixel covers."""

    options = ("height", "width", "mode")

    def __init__(self, height: int, width: int, mode: str = "bilinear", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width, self.mode = height, width, mode

    def call(self, x: Any) -> Any:
        _, h, w, _ = x.shape
        if (h, w) == (self.height, self.width):
            return x
        x = ops.einsum("ih,nhwc->niwc", ops.convert_to_tensor(_resampling(h, self.height, self.mode)), x)
        return ops.einsum("jw,nhwc->nhjc", ops.convert_to_tensor(_resampling(w, self.width, self.mode)), x)

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], self.height, self.width, shape[-1])


def _resampling(before: int, after: int, mode: str) -> np.ndarray:
    """The matrix [after, before] that resamples a line of pixels."""
    matrix, ratio, rows = np.zeros((after, before), np.float32), before / after, np.arange(after)
    if mode == "mean":
        for i in rows:
            first, end = i * before // after, -(-(i + 1) * before // after)
            matrix[i, first:end] = 1 / (end - first)
    elif mode == "nearest":
        matrix[rows, np.minimum((rows * ratio).astype(int), before - 1)] = 1
    else:
        at = np.clip((rows + 0.5) * ratio - 0.5, 0, before - 1)
        left = np.minimum(at.astype(int), before - 1)
        np.add.at(matrix, (rows, left), 1 - (at - left))
        np.add.at(matrix, (rows, np.minimum(left + 1, before - 1)), at - left)
    return matrix


@registered
class Bicubic(Layer):
    """Enlarges images of any size by a whole number, bicubic with a = -0.75, as torch does."""

    options = ("scale",)

    def __init__(self, scale: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale

    def call(self, x: Any) -> Any:
        return self._along(self._along(x, 1), 2)

    def _along(self, x: Any, axis: int) -> Any:
        """Each pixel becomes `scale` pixels, each of which has the same weights everywhere."""
        n = ops.shape(x)[axis]
        phases = []
        for phase in range(self.scale):
            at = (phase + 0.5) / self.scale - 0.5
            first = int(np.floor(at)) - 1
            taps = [
                ops.take(x, ops.clip(ops.arange(n) + first + k, 0, n - 1), axis=axis) * _cubic(abs(at - first - k))
                for k in range(4)
            ]
            phases.append(sum(taps[1:], taps[0]))
        shape = list(ops.shape(x))
        shape[axis] = n * self.scale
        return ops.reshape(ops.stack(phases, axis=axis + 1), shape)

    def compute_output_shape(self, shape: Any) -> Any:
        n, h, w, c = shape
        return (n, h and h * self.scale, w and w * self.scale, c)


def _cubic(x: float, a: float = -0.75) -> float:
    """The cubic convolution kernel."""
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0
