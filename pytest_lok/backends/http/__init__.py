"""HTTP APIs as backends: one file per API, the rest is shared."""
