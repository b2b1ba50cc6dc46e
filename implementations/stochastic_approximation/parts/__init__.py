"""What the methods of stochastic approximation share: problems, gains, paths, exact variances."""
