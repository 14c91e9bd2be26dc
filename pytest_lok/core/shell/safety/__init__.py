"""What the programs of a command do with a value: judged by what is known of them."""
