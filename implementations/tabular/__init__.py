"""Tabular reinforcement learning: finite Markov decision processes with known answers."""
