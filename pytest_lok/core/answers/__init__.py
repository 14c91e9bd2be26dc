"""What a step said -> what it means: its format, one verdict of several, a correction."""
