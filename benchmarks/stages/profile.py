"""Composes a profile into params.yaml."""

from benchmarks.plan import composition, profiles


def run(name: str) -> None:
    """Raises InputError when the profile or an entry in it is malformed; params.yaml is then left as it was."""
    params = composition.compose(profiles.read(name))
    composition.write_params(params)
    runs = sum(len(entry.seeds) for entry in params.entries.values() if entry.steps is not None)
    print(f"params.yaml is composed for {name}: {len(params.entries)} entries, {runs} training runs. Next: dvc repro")
