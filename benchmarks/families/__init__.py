"""One folder a family: its tasks, training, evaluation and DVC stages."""
