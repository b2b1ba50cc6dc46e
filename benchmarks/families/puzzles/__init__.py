"""Puzzles with known answers."""
