"""The answer of a review -> the verdict of the gate."""
