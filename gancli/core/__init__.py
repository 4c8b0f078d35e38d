"""What every room speaks in: contracts, configuration, registry, errors, seeds. Imports nothing else of gancli."""
