"""An Evaluation → the table of the terminal, JSON, JUnit and a page of HTML."""
