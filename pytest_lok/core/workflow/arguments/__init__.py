"""The arguments of a workflow: how they are declared, and what a run is given for them."""
