"""The pytest plugin: workflows are modules, steps are items."""
