"""Placeholders, ``when`` and ``assert``: parsed, checked, run."""
