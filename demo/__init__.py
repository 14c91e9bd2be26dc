"""A workflow finds a planted injection, the line is fixed, the gate opens: offline, in a few seconds."""
