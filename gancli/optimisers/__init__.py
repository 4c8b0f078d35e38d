"""Update rules. Each works on one flat parameter, so that a step is a handful of large operations."""
