"""The training step, the loop around it, and the session around the loop."""
