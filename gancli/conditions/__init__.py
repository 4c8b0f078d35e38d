"""Conditions: labels, attributes or latent codes as inputs of the nets."""
