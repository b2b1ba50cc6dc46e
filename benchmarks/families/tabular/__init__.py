"""Finite Markov decision processes, judged against exact values."""
