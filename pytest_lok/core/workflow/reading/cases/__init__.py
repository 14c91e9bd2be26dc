"""The cases of a step: the files, tables and axes that the step names, as cases with their names."""
