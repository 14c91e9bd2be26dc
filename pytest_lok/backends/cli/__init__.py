"""Command line tools as backends."""
