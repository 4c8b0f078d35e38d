"""The training step and the loop around it. Knows phases, never GANs."""
