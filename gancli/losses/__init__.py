"""Adversarial losses, one file each; `adversarial.py` has the losses of critic and generator that tasks are made of."""
