"""What is taken of each kind of problem."""
