"""Directories of cases → what is known of each, and its change as two commits."""
