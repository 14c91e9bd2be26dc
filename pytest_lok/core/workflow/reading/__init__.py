"""Workflow files -> Workflow: a file, its keys, its steps, and every problem with its place."""
