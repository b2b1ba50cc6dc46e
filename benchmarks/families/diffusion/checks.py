"""What an entry of a diffusion model must have beside what every entry has."""

from benchmarks.plan.family import Planned


def learns_from_its_own_pairs(planned: Planned) -> None:
    """A reflow straightens a flow of its own method."""
    for name, entry, _ in planned.needs:
        if planned.trained and planned.method.makes_its_pairs() and entry.method != planned.entry.method:
            allowed = f"pairs are made by {planned.entry.method}, not by {entry.method}"
            raise planned.refusal("needs", name, allowed)


def samples_what_it_can(planned: Planned) -> None:
    """A method that trains nothing samples the models of one other method."""
    trained_by = planned.method.fact("trained_by")
    for name, entry, _ in planned.needs:
        if trained_by is not None and entry.method != trained_by:
            raise planned.refusal("needs", name, f"{planned.method.name} samples models of {trained_by}")
