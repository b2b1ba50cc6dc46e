"""Checks of a profile's entry that several families share; each raises InputError, one sentence."""

from benchmarks.plan.family import Planned

FEWEST_PAIRS = 10


def names_its_pairs(planned: Planned) -> None:
    """What is trained from something says from what, and nothing else does."""
    count = planned.entry.settings.get("pairs")
    starts = planned.trained and bool(planned.entry.needs)
    if starts != isinstance(count, int) or (count and not planned.method.takes_pairs()):
        allowed = "what is trained from the pairs of an entry names it in needs, and has settings.pairs"
        raise planned.refusal("needs", planned.entry.needs, f"{allowed}; nothing else does")


def has_enough_pairs(planned: Planned) -> None:
    """Some are left to validate with."""
    count = planned.entry.settings.get("pairs")
    if count is not None and (type(count) is not int or count < FEWEST_PAIRS):
        allowed = f"a whole number, at least {FEWEST_PAIRS}, so that some are left to validate with"
        raise planned.refusal("settings.pairs", count, allowed)


def takes_one_entry(planned: Planned) -> None:
    """Of most methods."""
    if len(planned.entry.needs) > 1:
        allowed = f"{planned.method.name} takes one entry's models; leave the second out"
        raise planned.refusal("needs", planned.entry.needs, allowed)


def keeps_the_network(planned: Planned) -> None:
    """Weights to start from fit the network that they came from."""
    if not planned.trained or not planned.needs:
        return
    name, start, _ = planned.needs[0]
    for setting in ("network", "width"):
        if planned.entry.settings.get(setting) != start.settings.get(setting):
            allowed = f"must be that of {name}, whose weights it starts from"
            raise planned.refusal(f"settings.{setting}", planned.entry.settings.get(setting), allowed)
