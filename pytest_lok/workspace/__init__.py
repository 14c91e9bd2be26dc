"""The tree that a run works on: its files, its repository, its tools."""
