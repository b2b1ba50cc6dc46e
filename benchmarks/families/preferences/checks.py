"""What an entry of a preference method must have beside what every entry has: whence it starts, what it learns from."""

from benchmarks.families import checks
from benchmarks.plan.family import Planned


def starts_from_a_model(planned: Planned) -> None:
    """What learns from its own rollouts starts from a trained model, and a learned reward is a second entry's."""
    if planned.method.learns_from() != "rollouts":
        checks.names_its_pairs(planned)
        return
    entry, needs = planned.entry, planned.entry.needs
    if planned.trained and not needs:
        allowed = f"{planned.method.name} goes on from a trained model: name the entry that has it"
        raise planned.refusal("needs", needs, allowed)
    learned = "reward" in planned.method.settings_fields() and entry.settings.get("reward", "learned") == "learned"
    if planned.trained and learned != (len(needs) == 2):
        allowed = "a learned reward is that of a second entry, a reward model; another reward takes no second entry"
        raise planned.refusal("needs", needs, allowed)


def says_how_many_pairs(planned: Planned) -> None:
    """Of what learns from pairs."""
    if planned.method.learns_from() == "pairs" and planned.entry.settings.get("pairs") is None:
        allowed = f"{planned.method.name} learns from pairs: give settings.pairs, and needs, the entry that makes them"
        raise planned.refusal("settings.pairs", None, allowed)


def takes_fitting_models(planned: Planned) -> None:
    """A policy to start from or to learn from; of what learns from rollouts the second is a reward model.

    What learns from pairs takes the log-probabilities of the model that made them for those of its reference.
    """
    learns_from = planned.method.learns_from()
    if not planned.trained or learns_from == "pairs":
        checks.takes_one_entry(planned)
    for place, (name, entry, trainer) in enumerate(planned.needs):
        judges = place == 1 and learns_from == "rollouts"
        if planned.trained and not (trainer.scores() if judges else trainer.answers()):
            allowed = (
                "rewards are scored by a reward model" if judges else f"{entry.method} has no policy to start from"
            )
            raise planned.refusal("needs", name, allowed)
