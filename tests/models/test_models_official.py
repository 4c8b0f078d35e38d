"""Layers against the published code on the same weights and inputs (`Official` in tests/conftest.py)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gancli.models.blocks import MinibatchStddev, SelfAttention, downsample, upsample
from gancli.models.r3 import Basis, Block
from gancli.models.resnet import DownBlock, UpBlock
from gancli.models.style import Mapping, StyledConv, ToRGB


def test_stylegan2_mapping_network(official: Any) -> None:
    net = Mapping(6, 3, 5, 2, 0.01)
    official.fill(*net.parameters())
    z, c = official.wave(3, 6, k=1), official.wave(3, 3, k=2)
    net.embed = nn.Linear(3, 5)  # the published embedding is as wide as w, ours as z
    first = nn.Parameter(torch.empty(5, 11))
    net.layers[0].weight, net.layers[0].scale = first, 0.01 / 11**0.5
    weights = [net.embed.weight, net.embed.bias, first, net.layers[0].bias, net.layers[1].weight, net.layers[1].bias]
    official.fill(*weights)
    net.embed.weight.data /= 3**0.5
    official.close("style_mapping/w", net.eval()(z, c))
    net.train()(z, c)
    official.close("style_w_average", net.mean)
    net(z, c, track=False)
    official.close("style_w_average", net.mean)


def test_stylegan2_layers(official: Any) -> None:
    w = official.wave(2, 5, k=4)
    layer = StyledConv(4, 6, 5, 0, (8, 8))
    conv = layer.conv
    official.fill(conv.weight, torch.empty(()), layer.bias, conv.style.weight, conv.style.bias)
    official.close("style_layer", layer(official.wave(2, 4, 8, 8, k=3), w))
    small = official.wave(2, 4, 4, 4, k=3)
    conv.weight.data = conv.weight.data.flip((2, 3))  # the published code mirrors the kernel of a layer that upsamples
    official.close("style_layer_up", layer(upsample(small, (8, 8)), w)[:, :, 2:-2, 2:-2])
    rgb = ToRGB(4, 3, 5)
    official.fill(rgb.conv.weight, rgb.bias, rgb.conv.style.weight, rgb.conv.style.bias)
    official.close("style_rgb", rgb(official.wave(2, 4, 8, 8, k=3), w))
    official.close("style_stddev", MinibatchStddev(4)(official.wave(8, 3, 2, 2, k=5))[:, 3, 0, 0])


def test_resampling_of_stylegan2_and_r3gan(official: Any) -> None:
    x = official.wave(1, 2, 6, 6, k=2)
    for name in ("style", "r3gan"):
        official.close(f"{name}_up", upsample(x, (12, 12))[:, :, 1:-1, 1:-1])  # the border: docs/decisions.md
        official.close(f"{name}_down", downsample(x))


def test_r3gan_layers(official: Any) -> None:
    block = Block(8, 2.0, 8, 4)
    official.fill(block.into.weight, block.spatial.weight, block.out.weight, block.into.bias, block.spatial.bias)
    official.close("r3gan_block/y", block(official.wave(2, 8, 5, 5, k=7)))
    basis = Basis(6, 8, (4, 4))
    official.fill(basis.maps, basis.weigh.weight)
    official.close("r3gan_generative_basis", basis(official.wave(2, 6, k=1)))


def test_self_attention_of_biggan(official: Any) -> None:
    layer = SelfAttention(16)
    official.fill(layer.gamma, layer.g.weight, layer.f.weight, layer.h.weight, layer.v.weight)
    official.close("attention/y", layer(official.wave(1, 16, 4, 4, k=3)))


def test_residual_blocks_of_biggan(official: Any) -> None:
    up = UpBlock(4, 6, "conditional", 5)
    gains = [torch.empty(4, 5), torch.empty(4, 5), torch.empty(6, 5), torch.empty(6, 5)]
    convs = [p for conv in (up.first, up.second, up.skip) for p in (conv.weight, conv.bias)]
    official.fill(*convs, *gains)
    with torch.no_grad():
        up.before.norm.affine.weight.copy_(torch.cat(gains[:2]))
        up.between.norm.affine.weight.copy_(torch.cat(gains[2:]))
    official.close("biggan_gblock/y", up(official.wave(3, 4, 4, 4, k=3), official.wave(3, 5, k=4), (8, 8)), atol=1e-4)
    down = DownBlock(4, 6, "none")
    official.fill(*[p for conv in (down.conv1, down.conv2, down.skip) for p in (conv.weight, conv.bias)])
    official.close("biggan_dblock/y", down(official.wave(2, 4, 6, 6, k=3)))
