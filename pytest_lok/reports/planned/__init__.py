"""What a plan would do, as far as it is known before anything runs."""
