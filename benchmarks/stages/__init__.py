"""One module a command; each only parses, calls and writes."""
