"""What was noted along training, as drawings."""

from collections.abc import Sequence

from benchmarks.record.evaluated import Drawing, Line, Lines, rounded

# Title, axis and the notes that share it, each with its label; what a run has not noted is left out.
_FIGURES = (
    (
        "rewards_along_training",
        "Reward along training, on validation prompts and on those trained on",
        "reward",
        {"reward": "validation", "train_reward": "training", "true_reward": "true reward, validation"},
    ),
    (
        "answers_along_training",
        "Shares of validation sums and of training groups along training",
        "share",
        {"right": "right answers", "formed": "in the format", "zero_advantage": "groups without an advantage"},
    ),
    ("kl_along_training", "Distance from the reference along training", "KL, nats a response", {"kl": "KL"}),
    ("entropy_along_training", "Entropy along training", "nats a token", {"entropy": "entropy"}),
    ("length_along_training", "Length of responses along training", "tokens", {"length": "length"}),
    (
        "log_probs_along_training",
        "How far log-probabilities of validation pairs have moved from the reference's",
        "nats a response",
        {"chosen": "chosen", "rejected": "rejected"},
    ),
)


def drawings(curve: Sequence[dict[str, float]]) -> list[Drawing]:
    """Of the rows of a learning curve."""
    found: list[Drawing] = []
    for name, title, axis, labels in _FIGURES:
        lines = [_line(label, note, curve) for note, label in labels.items() if any(note in row for row in curve)]
        if lines:
            found.append(Lines(name, title, "optimiser steps", axis, lines))
    return found


def _line(label: str, note: str, curve: Sequence[dict[str, float]]) -> Line:
    rows = [row for row in curve if note in row]
    return Line(label, rounded([row["step"] for row in rows]), rounded([row[note] for row in rows]))
