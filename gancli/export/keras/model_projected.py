"""The generator of Projected GAN (2111.01007), which is that of FastGAN."""

from .model_fastgan import generator

__all__ = ["generator"]
