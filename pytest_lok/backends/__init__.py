"""Who answers: rules, recordings, command line tools, HTTP APIs."""
