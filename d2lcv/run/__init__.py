"""Running the chapters: their table, options and results, and the command line."""
