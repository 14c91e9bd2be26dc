"""What a text may not do, besides what `checker` sees by itself: one module for each kind of mistake."""
