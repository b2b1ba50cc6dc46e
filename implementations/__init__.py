"""How the methods work: one readable file a method, nothing of `benchmarks/`, no file I/O, no printing."""
