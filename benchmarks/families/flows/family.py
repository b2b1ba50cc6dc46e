"""Exact densities by invertible maps."""

from benchmarks.families.checks import names_its_pairs, takes_one_entry
from benchmarks.families.flows.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.flows.parts.protocol import FlowMethod

FAMILY = Family(
    name="flows", method=FlowMethod, tasks=TASKS, train="benchmarks.families.flows.train:train",
    evaluate="benchmarks.families.flows.evaluate:evaluate", checks=(names_its_pairs, takes_one_entry),
)  # fmt: skip
