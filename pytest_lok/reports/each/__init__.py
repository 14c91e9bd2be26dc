"""What is said of a workflow that ran in many repositories."""
