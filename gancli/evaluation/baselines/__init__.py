"""Baselines of translation and restoration: methods without a trained net, one per file."""
