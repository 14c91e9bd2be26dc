"""The version of the package, in a module that imports nothing and that everybody may import."""

__version__ = "0.1.0"
