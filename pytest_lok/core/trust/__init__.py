"""What a checkout may not do unasked: its settings, and the secrets of the environment."""
