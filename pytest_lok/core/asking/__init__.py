"""What is known of a question without asking: its price, whom ``auto`` would ask, its recording."""
