"""Steps that wait for a person: the question, and who asks it."""
