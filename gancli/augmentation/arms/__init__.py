"""Ways to train a classifier on few images of a class, one file each."""
