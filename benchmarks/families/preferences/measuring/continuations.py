"""Continued reviews: the true reward against the KL to the reference, win rates at several temperatures, samples."""

from collections.abc import Sequence
from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.families.preferences.measuring.assessed import Assessed, responses, spread_of
from benchmarks.families.preferences.models import read_at_once
from benchmarks.families.preferences.problems import Continuation
from benchmarks.families.preferences.worlds import Comparisons, Prompt, Reviews
from benchmarks.record.evaluated import Measured, Passages, Value
from implementations.preferences.parts.responses import log_probs
from implementations.preferences.parts.sequences import padded

SHOWN = 12  # prompts whose responses the report shows
OWN = "the texts' own continuations"


def rows(assessed: Assessed, task: Continuation, here: Reviews) -> list[Measured]:
    """Of a policy: what it gains, how far it went for it, how often it wins, and what it makes of the data's texts."""
    prompts = here.prompts("test", assessed.job.samples)
    told = protocol(task, len(prompts))
    unit, found = unit_of(task), [likelihood(assessed, here)]
    truth = _rewards(here, prompts, [prompt.truth for prompt in prompts])
    rates: list[float] = []
    for temperature in task.temperatures:
        drawn = assessed.drawn(assessed.policy, prompts, temperature, f"responses at {temperature}")
        ours = _rewards(here, prompts, responses(drawn))
        if temperature == 1.0:
            mean = float(ours.mean())
            found.append(assessed.row("reward", mean, unit, "higher", len(prompts), told, temperature=temperature))
            found += spread_of(assessed, drawn, told, temperature=temperature)
        won = _wins(assessed, ours, truth, told, "win_rate", OWN, temperature)
        found += won
        rates.append(float(won[0].value))  # type: ignore[arg-type]
        if assessed.reference is not assessed.policy:
            others = assessed.drawn(assessed.reference, prompts, temperature, f"opponents at {temperature}")
            theirs = _rewards(here, prompts, responses(others))
            against = "the model it started from, at the same temperature"
            found += _wins(assessed, ours, theirs, told, "win_rate_against_start", against, temperature)
    lost = {**told, "reference": OWN}
    between = f"{task.temperatures[0]:g} to {task.temperatures[-1]:g}"
    name = "win_rate_lost"
    found.append(assessed.row(name, rates[0] - rates[-1], "share", "lower", len(prompts), lost, temperatures=between))
    return found


def rows_of_best(assessed: Assessed, task: Continuation, here: Reviews) -> list[Measured]:
    """Of the best of n responses, chosen by the true reward itself, for n = 1, 2, 4 and so on."""
    settings, prompts = assessed.job.settings, here.prompts("test", assessed.job.samples)
    asked = [prompt for prompt in prompts for _ in range(settings.most)]
    drawn = responses(assessed.drawn(assessed.policy, asked, settings.temperature, "responses to choose from"))
    rewards = torch.from_numpy(_rewards(here, asked, drawn)).view(len(prompts), settings.most)
    truth = _rewards(here, prompts, [prompt.truth for prompt in prompts])
    told, found, n = protocol(task, len(prompts)), [], 1
    while n <= settings.most:
        best = rewards.gather(1, assessed.job.method.best_of(rewards, n)[:, None]).squeeze(1).numpy()
        variant: dict[str, Value] = {"n": n, "temperature": settings.temperature}
        found.append(assessed.row("reward", float(best.mean()), unit_of(task), "higher", len(prompts), told, **variant))
        bound = {**told, "solver": "largest that a best of n can have, ln n - (n - 1) / n"}
        found.append(
            assessed.row("kl", assessed.job.method.kl_bound(n), "nats", "lower", len(prompts), bound, **variant)
        )
        found += _wins(assessed, best, truth, told, "win_rate", OWN, settings.temperature, n=n)
        n *= 2
    return found


def protocol(task: Continuation, count: int) -> dict[str, Value]:
    """What the measurement of a row on test prompts states."""
    asked = f"first {task.shortest} to {task.longest} tokens of texts, up to {task.most} tokens in response"
    lexicon = f"VADER {version('vaderSentiment')} compound"
    judge = lexicon if task.judge == "lexicon" else f"log-odds of positive by {task.judge}"
    return {"split": "test", "samples": count, "instances": asked, "judge": f"{judge} of prompt and response"}


def unit_of(task: Continuation) -> str:
    """Of the true reward: compound scores are from -1 to 1."""
    return "compound" if task.judge == "lexicon" else "nats"


def passages(
    assessed: Assessed, here: Reviews | Comparisons, label: str, temperature: float = 1.0, own: str = "the text itself"
) -> list[Passages]:
    """Responses to the first test prompts; of a model that started afresh, also what they are held against."""
    prompts = here.prompts("test", SHOWN)
    drawn = responses(assessed.drawn(assessed.policy, prompts, temperature, "responses shown"))
    asked = [here.vocabulary.decode(prompt.tokens) for prompt in prompts]
    title = f"Responses to prompts of the test split at temperature {temperature:g}"
    shown = [Passages("responses", title, label, asked, _texts(here, drawn))]
    if assessed.reference is assessed.policy:
        truth = _texts(here, [prompt.truth for prompt in prompts])
        shown.append(Passages("responses", title, own, asked, truth, place=-1))
    return shown


def _texts(here: Reviews | Comparisons, drawn: Sequence[list[int]]) -> list[str]:
    return [here.vocabulary.decode(tokens) for tokens in drawn]


def _rewards(here: Reviews, prompts: Sequence[Prompt], drawn: Sequence[list[int]]) -> NDArray[np.float64]:
    return np.array(here.rewards(prompts, drawn))


def _wins(
    assessed: Assessed,
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    told: dict[str, Value],
    name: str,
    against: str,
    temperature: float,
    **variant: Value,
) -> list[Measured]:
    """Wins, ties counted as half of one, and the share of ties. The judge sees no order, so that none is drawn."""
    shares = {
        name: float(((ours > theirs) + 0.5 * (ours == theirs)).mean()),
        f"{name}_ties": float((ours == theirs).mean()),
    }
    compared = {**told, "reference": against}
    return [
        assessed.row(
            each, share, "share", "higher" if each == name else "lower", len(ours), compared, **variant,
            temperature=temperature,
        )
        for each, share in shares.items()
    ]  # fmt: skip


def likelihood(assessed: Assessed, here: Reviews | Comparisons) -> Measured:
    """Of the test split's texts, as a language model; a policy that went far from them has lost some of it."""
    documents = here.documents("test")
    total, tokens = 0.0, 0
    with torch.no_grad():
        most = min(256, read_at_once(assessed.job.task, here.vocabulary))
        for first in range(0, len(documents), most):
            prompts, texts = zip(*documents[first : first + most], strict=True)
            batch = padded(prompts, texts, here.vocabulary.end).to(assessed.job.device)
            total -= float(log_probs(assessed.policy, batch).double().sum())
            tokens += int(batch.lengths().sum())
    told: dict[str, Value] = {"split": "test", "samples": len(documents), "instances": "texts, cut to the context"}
    return assessed.row("negative_log_likelihood", total / tokens, "nats/token", "lower", tokens, told)
