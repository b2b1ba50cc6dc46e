"""What is measured of stochastic approximation, by the kind of problem."""
