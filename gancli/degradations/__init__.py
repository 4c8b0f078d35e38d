"""Degradations for restoration tasks, one per file."""
