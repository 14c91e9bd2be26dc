"""The command ``lok``: one small file per verb; every workflow is a command by itself."""
