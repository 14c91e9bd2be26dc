"""One workflow in many repositories: a list of them -> a run in each, on one loop."""
