"""An earlier run and what steps would read now → which results are kept, and why not the others."""
