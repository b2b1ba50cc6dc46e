"""Evaluation of a flow: exact likelihood, checks of invertibility and of the log-determinant, samples."""
