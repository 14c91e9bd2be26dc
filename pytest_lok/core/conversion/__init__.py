"""Workflows of other tools → workflows of lok, and what of them lok cannot say."""
