"""PURE: text and values in, values out. The order of the rooms is a contract in pyproject.toml."""
