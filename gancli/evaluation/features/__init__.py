"""Feature extractors: images to vectors."""
