"""The loader on a GPU that is not there: torch's fake tensors know devices, and refuse to mix them, but hold nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from gancli.core.config import Runtime
from gancli.data.images import ImageDataset
from gancli.data.loader import Loader
from gancli.training import precision

GPU = torch.device("cuda:0")


def arrays() -> ImageDataset:
    r = np.random.default_rng(0)
    images = r.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    return ImageDataset(images, r.integers(0, 4, 40), r.random((40, 2), dtype=np.float32), tuple("abcd"), ("u", "v"))


@pytest.mark.parametrize(("free", "place"), [(4 * 40 * 64, "cuda"), (4 * 40 * 64 - 1, "cpu")])
def test_images_lie_on_the_gpu_if_they_fit(free: int, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _device: (free, free))
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    with FakeTensorMode(allow_non_fake_inputs=True):
        loader = Loader(arrays().augmented(flip=True), 0, GPU, torch.bfloat16)
        assert isinstance(loader.data, ImageDataset)
        assert loader.data._tensor.device.type == place
        batch = loader.batch(30, 16)  # over a pass's end
        real = batch["real"]
        assert (real.shape, real.dtype, real.device) == ((16, 1, 8, 8), torch.bfloat16, GPU)
        assert batch["label"].dtype == torch.int64
        assert batch["label"].device == batch["attributes"].device == GPU


@pytest.mark.parametrize("deterministic", [False, True])
def test_kernels_of_a_gpu(deterministic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    asked = []
    monkeypatch.setattr(torch, "use_deterministic_algorithms", asked.append)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", deterministic)
    precision.choose_kernels(Runtime(deterministic=deterministic), torch.device("cpu"))
    assert not asked
    precision.choose_kernels(Runtime(deterministic=deterministic), GPU)
    assert (asked, torch.backends.cudnn.benchmark) == ([deterministic], not deterministic)
