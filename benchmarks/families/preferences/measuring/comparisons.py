"""Prompts whose responses people have compared: how often a judge, another model, prefers a policy's to the preferred.

The judge is no person and not GPT-4, which the DPO paper asks: its rows name it, and are compared with none of another
judge's.
"""

from typing import Any

import torch

from benchmarks.families.preferences.measuring.assessed import Assessed, responses, spread_of
from benchmarks.families.preferences.measuring.continuations import likelihood
from benchmarks.families.preferences.problems import Compared
from benchmarks.families.preferences.worlds import Comparisons, Prompt
from benchmarks.record.evaluated import Measured, Value
from implementations.preferences.parts.sequences import padded

SCORED = 32  # pairs at once


def rows(assessed: Assessed, here: Comparisons) -> list[Measured]:
    """Of a policy: how often it wins at each temperature, how far it went, what it makes of the preferred responses."""
    task, prompts = here.task, here.prompts("test", assessed.job.samples)
    found = [likelihood(assessed, here)]
    for temperature in task.temperatures:
        drawn = assessed.drawn(assessed.policy, prompts, temperature, f"responses at {temperature}")
        found += _wins(assessed, here, prompts, responses(drawn), temperature=temperature)
        if temperature == 1.0:
            found += spread_of(assessed, drawn, _protocol(task, len(prompts)), temperature=temperature)
    return found


def rows_of_best(assessed: Assessed, scorer: torch.nn.Module, scores: Any, here: Comparisons) -> list[Measured]:
    """Of the best of n responses of the policy by the scores of a reward model, for the largest n."""
    settings, prompts = assessed.job.settings, here.prompts("test", assessed.job.samples)
    asked = [prompt for prompt in prompts for _ in range(settings.most)]
    drawn = assessed.drawn(assessed.policy, asked, settings.temperature, "responses to choose from")
    with torch.no_grad():
        found = torch.cat([scores(scorer, batch).double().cpu() for batch in drawn])
    best = assessed.job.method.best_of(found.view(len(prompts), settings.most), settings.most).tolist()
    given = responses(drawn)
    chosen = [given[place * settings.most + row] for place, row in enumerate(best)]
    variant: dict[str, Value] = {"n": settings.most, "temperature": settings.temperature}
    return _wins(assessed, here, prompts, chosen, **variant)


def rows_of_scores(assessed: Assessed, scorer: torch.nn.Module, here: Comparisons) -> list[Measured]:
    """How often a reward model scores the response that people preferred higher."""
    pairs = here.pairs("test")[: assessed.job.samples]
    right = 0
    for first in range(0, len(pairs), SCORED):
        prompts, *sides = zip(*pairs[first : first + SCORED], strict=True)
        batches = (padded(prompts, side, here.vocabulary.end).to(assessed.job.device) for side in sides)
        with torch.no_grad():
            chosen, rejected = (assessed.job.method.scores(scorer, batch) for batch in batches)
        right += int((chosen > rejected).sum())
    told: dict[str, Value] = {"split": "test", "samples": len(pairs), "instances": "pairs that people judged"}
    return [assessed.row("pair_accuracy", right / len(pairs), "share", "higher", len(pairs), told)]


def _wins(
    assessed: Assessed, here: Comparisons, prompts: list[Prompt], ours: list[list[int]], **variant: Value
) -> list[Measured]:
    """Wins, ties counted as half of one, and the share of ties."""
    decode = here.vocabulary.decode
    asked = [decode(prompt.tokens) for prompt in prompts]
    verdicts = here.judge(asked, [decode(tokens) for tokens in ours], [decode(prompt.truth) for prompt in prompts])
    told: dict[str, Value] = {
        **_protocol(here.task, len(prompts)),
        "judge": here.task.judge,
        "reference": "the responses that people preferred",
        "order_seed": here.task.order_seed,
    }
    n, ties = len(verdicts), sum(verdict == 0.5 for verdict in verdicts)
    return [
        assessed.row("win_rate", sum(verdicts) / n, "share", "higher", n, told, **variant),
        assessed.row("win_rate_ties", ties / n, "share", "lower", n, told, **variant),
    ]


def _protocol(task: Compared, count: int) -> dict[str, Value]:
    asked = f"{task.dataset}, up to {task.longest} tokens, up to {task.most} in response"
    return {"split": "test", "samples": count, "instances": asked}
