"""Stochastic approximation against exact answers."""
