"""A value into a shell command, never as code."""
