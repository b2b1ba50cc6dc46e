"""What runs: the job that a stage hands a family, what is read for it, and the one driver of training."""
