"""Samples against data: features, metrics, scores with their protocol."""
