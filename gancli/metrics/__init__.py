"""Features, statistics of them, and distances between the statistics."""
