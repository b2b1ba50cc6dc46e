"""Composes a profile into params.yaml."""

from benchmarks import profiles


def run(name: str) -> None:
    """Raises InputError when the profile or an entry in it is malformed; params.yaml is then left as it was."""
    params = profiles.compose(profiles.read(name))
    profiles.write_params(params)
    runs = sum(len(family) for family in params.runs.values())
    print(f"params.yaml is composed for {name}: {len(params.entries)} entries, {runs} training runs. Next: dvc repro")
