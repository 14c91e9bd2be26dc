"""PURE: results and plans -> text and JSON that nobody obeys by mistake."""
