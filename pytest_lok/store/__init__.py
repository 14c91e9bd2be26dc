"""What is kept beside the tree: records of runs, who runs what, whom the user trusts."""
