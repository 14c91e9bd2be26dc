"""Real faults, and what every surface of pytest-lok says of the runs that they hit."""
