"""A run inside of a run: the workflow that a step runs."""
