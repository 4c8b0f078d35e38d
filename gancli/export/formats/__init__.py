"""Formats of `gan export --to`: one file each."""
