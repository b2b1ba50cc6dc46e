"""Speed beside peers: each figure is a ratio of two timings of one run on one machine."""
