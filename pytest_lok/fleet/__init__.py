"""Commands at other places: what travels, what is claimed, and what comes back."""
