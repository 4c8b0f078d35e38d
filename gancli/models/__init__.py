"""Nets. One file per family; `layers.py` holds what they share."""
