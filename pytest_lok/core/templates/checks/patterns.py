"""A regular expression in a text → what is wrong with it."""

from __future__ import annotations

from jinja2 import nodes


def pattern_mistake(node: nodes.Call) -> str:
    """What is wrong with the regular expression that ``matches`` is given; "" = nothing, or not known yet."""
    pattern = node.args[1] if len(node.args) > 1 else None
    if not isinstance(pattern, nodes.Const):
        return ""
    # late: rarely used, and slow to import
    import regex

    try:
        regex.compile(str(pattern.value))
    except regex.error as error:
        return f"the regular expression is wrong: {error}"
    return ""
