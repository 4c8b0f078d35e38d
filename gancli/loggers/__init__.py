"""Loggers: training metrics and previews for other programs, one file each."""
