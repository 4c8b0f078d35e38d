"""Update rules: torch's own, fused where torch has a fused form."""
