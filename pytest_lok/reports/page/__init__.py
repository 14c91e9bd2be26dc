"""A run -> the parts of its page in HTML; ``formats/html.py`` puts them together."""
