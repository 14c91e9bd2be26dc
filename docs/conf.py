"""How `make docs` builds the site: Markdown by MyST, the public names from their docstrings."""

from pytest_lok import __version__

project = "pytest-lok"
author = "the authors of pytest-lok"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"{project} {release}"

myst_heading_anchors = 4  # `settings.md#trust`, as on GitHub

autodoc_default_options = {"members": True, "undoc-members": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
# Annotations name types of Python, and types of ours that are not public: there is no page to link to.
nitpick_ignore_regex = [("py:.*", ".*")]
