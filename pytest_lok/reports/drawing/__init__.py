"""Workflows and runs as drawings: a layout of what depends on what, as SVG, Mermaid and text."""
