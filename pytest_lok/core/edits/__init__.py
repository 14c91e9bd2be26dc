"""What answers may change: edits, and the files that no answer may edit."""
