"""The workflows of a project as tools of an agent, by the Model Context Protocol."""
