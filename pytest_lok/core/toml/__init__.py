"""Documents of any kind: on which line each key stands, and what is wrong with its value."""
