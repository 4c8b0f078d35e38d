"""Adversarial losses, one per file; `adversarial.py` combines them with penalties to the losses of critic and generator."""
