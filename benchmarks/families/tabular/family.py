"""Finite Markov decision processes, judged against exact values."""

from benchmarks.families.tabular.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.tabular.parts.protocol import TabularMethod

FAMILY = Family(
    name="tabular", method=TabularMethod, tasks=TASKS, evaluate="benchmarks.families.tabular.evaluate:evaluate"
)
