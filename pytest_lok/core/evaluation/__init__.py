"""Cases with a known answer → how often a review is right: rates, each with its interval."""
