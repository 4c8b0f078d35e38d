"""Augmentation of training data: new images for rare classes, and a study of whether they help a classifier."""
