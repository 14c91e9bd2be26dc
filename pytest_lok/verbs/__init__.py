"""PURE: arguments and settings -> Workflow, for the verbs that have no file."""
