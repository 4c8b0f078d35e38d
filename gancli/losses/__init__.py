"""Adversarial losses and penalties, one file each, and the two halves that every task is made of (`halves.py`)."""
