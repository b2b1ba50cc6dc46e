"""Samples by walking from noise to data."""

from benchmarks.families.checks import has_enough_pairs, keeps_the_network, names_its_pairs, takes_one_entry
from benchmarks.families.diffusion.checks import learns_from_its_own_pairs, samples_what_it_can
from benchmarks.families.diffusion.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.diffusion.parts.protocol import DiffusionMethod

CHECKS = (
    names_its_pairs, takes_one_entry, has_enough_pairs, learns_from_its_own_pairs, samples_what_it_can,
    keeps_the_network,
)  # fmt: skip

FAMILY = Family(
    name="diffusion", method=DiffusionMethod, tasks=TASKS, train="benchmarks.families.diffusion.train:train",
    evaluate="benchmarks.families.diffusion.evaluate:evaluate", pairs="benchmarks.families.diffusion.pairs:make",
    checks=CHECKS,
)  # fmt: skip
