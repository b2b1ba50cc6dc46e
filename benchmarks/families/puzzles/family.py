"""Puzzles with known answers."""

from benchmarks.families.puzzles.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.puzzles.parts.protocol import PuzzleMethod

FAMILY = Family(
    name="puzzles", method=PuzzleMethod, tasks=TASKS, evaluate="benchmarks.families.puzzles.evaluate:evaluate"
)
