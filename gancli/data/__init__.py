"""Sources of images, and the store that the engine draws batches from."""
