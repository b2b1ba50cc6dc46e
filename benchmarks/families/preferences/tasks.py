"""Tasks of the preferences. Training does not import this list, so that a new task re-runs nothing else."""

from benchmarks.families.preferences.problems import Arithmetic, Continuation

STYLES = {"worked": 0.3, "direct": 0.3, "untagged": 0.2, "careless": 0.2}

TASKS = (
    Continuation(name="reviews", dataset="reviews", shortest=2, longest=8, most=24, held_out=4),
    Arithmetic(name="arithmetic", digits=2, train=6000, valid=500, test=500, styles=STYLES, format_weight=0.1, most=32),
)
