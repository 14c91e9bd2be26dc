"""A project and cases → runs of a workflow on each case, in a tree of its own."""
