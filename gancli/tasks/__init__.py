"""Tasks: image generation, and functions for further tasks that sample from seeds."""
