"""A trained model for use elsewhere: formats, and the proof that what was written equals the model."""
