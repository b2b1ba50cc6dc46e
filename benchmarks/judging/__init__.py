"""Typed claims against records."""
