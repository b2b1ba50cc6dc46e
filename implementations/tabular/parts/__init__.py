"""Nouns of tabular reinforcement learning."""
