"""Generators and discriminators, one family per file, and the layers that they share."""
