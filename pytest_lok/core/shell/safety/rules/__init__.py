"""What commands do with their arguments: one function per command or kind of command."""
