"""A node of an expression → the parts of it whose truth decides, and what asks them for it."""

from __future__ import annotations

from jinja2 import nodes

from pytest_lok.core.templates.comparison import BOOLEAN


def require_booleans(node: nodes.Node) -> None:
    """What decides in the node has to be true or false when it runs."""
    match node:
        case nodes.And() | nodes.Or():
            node.left, node.right = _boolean(node.left), _boolean(node.right)
        case nodes.Not():
            node.node = _boolean(node.node)
        case nodes.CondExpr():
            node.test = _boolean(node.test)


def _boolean(node: nodes.Expr) -> nodes.Expr:
    return nodes.Filter(node, BOOLEAN, [], [], None, None, lineno=node.lineno)


def boolean_operands(node: nodes.Node) -> tuple[nodes.Node, ...]:
    """The parts of a node whose truth decides."""
    match node:
        case nodes.And() | nodes.Or():
            return (node.left, node.right)
        case nodes.Not():
            return (node.node,)
        case nodes.If() | nodes.CondExpr():
            return (node.test,)
    return ()
