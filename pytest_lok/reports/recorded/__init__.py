"""What is recorded of runs → lists, pages and summaries of several."""
