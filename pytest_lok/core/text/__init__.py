"""Strings, and the JSON inside of them."""
