"""Classifiers that the arms of a study train, one file each."""
