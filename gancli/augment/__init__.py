"""Differentiable augmentations of D's inputs."""
