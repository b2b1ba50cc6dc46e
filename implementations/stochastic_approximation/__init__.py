"""Stochastic approximation: roots and minima from noisy observations."""
