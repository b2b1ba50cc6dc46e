"""Pure functions on numbers; maths.md explains each."""
