"""The run folder on disk: files, lock, journals, status and checkpoints."""
