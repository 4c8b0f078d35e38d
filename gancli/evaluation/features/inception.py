"""`inception`: the FID-compatible Inception-v3 (the network of 1706.08500), built by torch-fidelity (extra `eval`).

Its published weights are a pickle, which is never read here. Give a safetensors file of the same tensors with its SHA-256; both are
checked before anything is loaded. Resizing is the network's own (bilinear as in TensorFlow 1, to 299x299).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from gancli.core.data import Dataset
from gancli.core.errors import CheckpointError, UsageError
from gancli.evaluation.contracts import Extractor, Features, Progress, of_images, silent
from gancli.evaluation.features.convnet import opaque
from gancli.evaluation.weights import expect, read, sha256, verified

CONVERT = (
    "convert it where you trust it: python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('in.pth',"
    " weights_only=True), 'out.safetensors')\""
)


def architecture() -> nn.Module:
    """torch-fidelity's network without weights. Raises UsageError if the package is not there."""
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as v3
        from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    except ImportError:
        raise UsageError("features 'inception' need torch-fidelity", "pip install 'gancli[eval]'") from None

    class Net(v3.FeatureExtractorInceptionV3):  # type: ignore[misc]
        def __init__(self) -> None:  # the parent's would fetch and unpickle its weights
            FeatureExtractorBase.__init__(self, "inception", ["2048", "logits_unbiased"])
            self.feature_extractor_internal_dtype = torch.float32
            for name, block, *sizes in LAYERS:
                setattr(self, name, _block(v3, block, sizes))

    with torch.device("meta"):
        return Net()


LAYERS: tuple[tuple[Any, ...], ...] = (
    ("Conv2d_1a_3x3", "BasicConv2d", 3, 32, {"kernel_size": 3, "stride": 2}),
    ("Conv2d_2a_3x3", "BasicConv2d", 32, 32, {"kernel_size": 3}),
    ("Conv2d_2b_3x3", "BasicConv2d", 32, 64, {"kernel_size": 3, "padding": 1}),
    ("MaxPool_1", "MaxPool2d", {"kernel_size": 3, "stride": 2}),
    ("Conv2d_3b_1x1", "BasicConv2d", 64, 80, {"kernel_size": 1}),
    ("Conv2d_4a_3x3", "BasicConv2d", 80, 192, {"kernel_size": 3}),
    ("MaxPool_2", "MaxPool2d", {"kernel_size": 3, "stride": 2}),
    ("Mixed_5b", "InceptionA", 192, {"pool_features": 32}),
    ("Mixed_5c", "InceptionA", 256, {"pool_features": 64}),
    ("Mixed_5d", "InceptionA", 288, {"pool_features": 64}),
    ("Mixed_6a", "InceptionB", 288, {}),
    ("Mixed_6b", "InceptionC", 768, {"channels_7x7": 128}),
    ("Mixed_6c", "InceptionC", 768, {"channels_7x7": 160}),
    ("Mixed_6d", "InceptionC", 768, {"channels_7x7": 160}),
    ("Mixed_6e", "InceptionC", 768, {"channels_7x7": 192}),
    ("Mixed_7a", "InceptionD", 768, {}),
    ("Mixed_7b", "InceptionE_1", 1280, {}),
    ("Mixed_7c", "InceptionE_2", 2048, {}),
    ("AvgPool", "AdaptiveAvgPool2d", {"output_size": (1, 1)}),
    ("fc", "Linear", 2048, 1008, {}),
)


def _block(v3: Any, block: str, sizes: list[Any]) -> nn.Module:
    *positional, named = sizes
    made: nn.Module = getattr(v3 if hasattr(v3, block) else nn, block)(*positional, **named)
    return made


class Inception(Features):
    name = "inception"
    weights: str = Field("", description="safetensors file of torch-fidelity's Inception weights")
    sha256: str = Field("", description="that file's SHA-256; nothing is loaded unless it agrees")

    def prepare(
        self,
        train: Dataset,  # noqa: ARG002
        cache_dir: Path,  # noqa: ARG002
        device: torch.device,
        progress: Progress = silent,  # noqa: ARG002
    ) -> Extractor:
        net = architecture()
        if not self.weights:
            raise UsageError("features 'inception' need their weights", "give --feature-weights FILE.safetensors")
        path = Path(self.weights)
        if path.suffix != ".safetensors":
            raise CheckpointError(f"{path} is no safetensors file, and pickles are not read", CONVERT)
        data = read(path)
        if not self.sha256:
            raise UsageError(
                f"the SHA-256 of {path} is not given", f"if you trust the file: --feature-hash {sha256(data)}"
            )
        tensors = verified(data, self.sha256.lower(), str(path), "this is not the file that was meant")
        expect(tensors, {k: tuple(v.shape) for k, v in net.state_dict().items()}, str(path))
        net.load_state_dict(tensors, assign=True)
        net.to(device).eval().requires_grad_(False)
        rule = "uint8 as saved, grey repeated to RGB, bilinear as in TensorFlow 1 to 299x299 (torch-fidelity)"
        return Extractor(self.name, sha256(data), rule, of_images(lambda images: _run(net, images), device), True)


def _run(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    images = opaque(images)
    rgb = images if images.shape[1] == 3 else images[:, :1].expand(-1, 3, -1, -1)
    features, logits = net(rgb)
    return features, logits.softmax(1)
