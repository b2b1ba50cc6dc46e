"""A reward model's choices between two responses of the model that it started from."""

from itertools import combinations

import torch

from benchmarks.families.preferences.measuring.assessed import Assessed, responses
from benchmarks.families.preferences.measuring.continuations import protocol
from benchmarks.families.preferences.problems import Continuation
from benchmarks.families.preferences.worlds import Reviews
from benchmarks.record.evaluated import Measured, Value


def rows(assessed: Assessed, scorer: torch.nn.Module, task: Continuation, here: Reviews) -> list[Measured]:
    """How often it prefers what the true reward does; pairs of equal true reward are left out, and their share told."""
    prompts = here.prompts("test", assessed.job.samples)
    asked = [prompt for prompt in prompts for _ in range(task.completions)]
    drawn = assessed.drawn(assessed.reference, asked, 1.0, "responses to compare")
    true = torch.tensor(here.rewards(asked, responses(drawn))).view(-1, task.completions)
    with torch.no_grad():
        scores = torch.cat([assessed.job.method.scores(scorer, batch).double().cpu() for batch in drawn])
    learned = scores.view(-1, task.completions)
    right, ties, pairs = 0, 0, 0
    for one, other in combinations(range(task.completions), 2):
        truly, said = true[:, one] - true[:, other], learned[:, one] - learned[:, other]
        ties += int((truly == 0).sum())
        right += int(((truly * said) > 0).sum())
        pairs += len(truly)
    told: dict[str, Value] = {**protocol(task, len(prompts)), "draws": task.completions}
    return [
        assessed.row("pair_accuracy", right / max(1, pairs - ties), "share", "higher", max(1, pairs - ties), told),
        assessed.row("pair_ties", ties / pairs, "share", "lower", pairs, told),
    ]
