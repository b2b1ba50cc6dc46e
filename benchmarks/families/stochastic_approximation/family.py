"""Stochastic approximation against exact answers."""

from benchmarks.families.stochastic_approximation.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.stochastic_approximation.parts.protocol import StochasticApproximationMethod

FAMILY = Family(
    name="stochastic_approximation", method=StochasticApproximationMethod, tasks=TASKS,
    evaluate="benchmarks.families.stochastic_approximation.evaluate:evaluate",
)  # fmt: skip
