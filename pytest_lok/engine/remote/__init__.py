"""What the engine adds to commands that run elsewhere: their attempts, and the files that they make."""
