"""Files of a workspace that go to other places, and files that come back."""
