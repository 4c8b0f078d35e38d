"""Update rules: torch's fused kernels where there is one, the paper's lines where there is none."""
