"""The run folder: its files, its lock, its journal and its checkpoints."""
