"""The workflows that are built in, as TOML files."""
