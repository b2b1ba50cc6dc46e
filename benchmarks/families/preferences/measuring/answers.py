"""Answers to sums or questions: how many are right, alone and by vote, in which format, how long; some to look at."""

from collections import Counter
from collections.abc import Sequence

from benchmarks.families.preferences.measuring.assessed import Assessed, responses, spread_of
from benchmarks.families.preferences.problems import Arithmetic, Questions
from benchmarks.families.preferences.worlds import Asked, Sums
from benchmarks.record.evaluated import Measured, Passages, Value

SHOWN = 12  # sums whose answers the report shows


def rows(assessed: Assessed, task: Arithmetic | Questions, here: Sums | Asked) -> list[Measured]:
    """Of a policy, on test sums or questions: answers drawn at temperature 1, their vote, and the likeliest answer."""
    prompts = here.prompts("test", assessed.job.samples)
    asked = [prompt for prompt in prompts for _ in range(task.answers)]
    drawn = assessed.drawn(assessed.policy, asked, 1.0, "answers")
    given = responses(drawn)
    judged = [here.judged(*pair) for pair in zip(asked, given, strict=True)]
    right, formed = ([pair[place] for pair in judged] for place in range(2))
    groups = [given[first : first + task.answers] for first in range(0, len(given), task.answers)]
    voted = [vote([here.answer(tokens) for tokens in group]) for group in groups]
    won = [float(here.is_right(prompt, answer)) for answer, prompt in zip(voted, prompts, strict=True)]
    once = [max(right[first : first + task.answers]) for first in range(0, len(right), task.answers)]
    greedy = responses(assessed.drawn(assessed.policy, prompts, 0.0, "likeliest answers"))
    likeliest = [here.judged(*pair)[0] for pair in zip(prompts, greedy, strict=True)]
    instances = (
        f"sums of two numbers of up to {task.digits} digits"
        if isinstance(task, Arithmetic)
        else f"questions of {task.dataset}, template {task.template}"
    )
    told: dict[str, Value] = {"split": "test", "samples": len(prompts), "instances": instances}
    several: dict[str, Value] = {**told, "draws": task.answers}

    def share(name: str, of: Sequence[float], protocol: dict[str, Value], **variant: Value) -> Measured:
        direction = "lower" if name == "parse_failures" else "higher"
        return assessed.row(name, sum(of) / len(of), "share", direction, len(of), protocol, **variant)

    return [
        share("accuracy", right, several, decoding="single"),
        share("accuracy", won, several, decoding=f"majority of {task.answers}"),
        share("accuracy", once, several, decoding=f"any of {task.answers}"),
        share("accuracy", likeliest, told, decoding="greedy"),
        share("format", formed, several),
        share("parse_failures", [float(here.answer(tokens) is None) for tokens in given], several),
        *spread_of(assessed, drawn, several),
    ]


def vote(answers: Sequence[str | None]) -> str | None:
    """The answer that most give, of ties the one given first; None where none is one."""
    counted = Counter(answer for answer in answers if answer is not None)
    return counted.most_common(1)[0][0] if counted else None


def passages(assessed: Assessed, here: Sums | Asked, label: str) -> list[Passages]:
    """The likeliest answers to the first test sums or questions."""
    prompts = here.prompts("test", SHOWN)
    drawn = responses(assessed.drawn(assessed.policy, prompts, 0.0, "answers shown"))
    asked, given = (
        [here.vocabulary.decode(tokens) for tokens in part] for part in ([p.tokens for p in prompts], drawn)
    )
    of = "sums" if isinstance(here, Sums) else "questions"
    return [Passages("answers", f"Answers to {of} of the test split at temperature 0", label, asked, given)]
