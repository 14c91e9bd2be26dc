"""What a run notes of its steps for one that goes on from it, and what it keeps of the run before."""
