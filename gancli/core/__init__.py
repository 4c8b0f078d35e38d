"""Contracts, configuration, registry, errors and seeds. Imports no other package of gancli."""
