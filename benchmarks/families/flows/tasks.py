"""Tasks of the flows. Training does not import this list, so that a new task re-runs nothing else."""

from benchmarks.families.flows.density import ImageDensity

TASKS = (
    ImageDensity(name="digits", dataset="digits", shape=(8, 8), levels=17),
    ImageDensity(name="mnist", dataset="mnist", shape=(28, 28), levels=256),
)
