"""Which code made a number, and whether that is the code of today."""
