"""Language models that learn from texts, pairs or rewards."""

from benchmarks.families.checks import has_enough_pairs, keeps_the_network
from benchmarks.families.preferences.checks import says_how_many_pairs, starts_from_a_model, takes_fitting_models
from benchmarks.families.preferences.tasks import TASKS
from benchmarks.plan.family import Family
from implementations.preferences.parts.protocol import PreferenceMethod

FAMILY = Family(
    name="preferences", method=PreferenceMethod, tasks=TASKS, train="benchmarks.families.preferences.train:train",
    evaluate="benchmarks.families.preferences.evaluate:evaluate", pairs="benchmarks.families.preferences.pairs:make",
    checks=(starts_from_a_model, says_how_many_pairs, takes_fitting_models, has_enough_pairs, keeps_the_network),
)  # fmt: skip
