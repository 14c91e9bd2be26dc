"""Inputs that users, tools and attackers made, each with the value that is right, by mechanism."""
