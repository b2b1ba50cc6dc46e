"""Lists what is at hand: methods, tasks, profiles with their entries, claims."""

from benchmarks import methods, profiles
from benchmarks.judging import claims


def run() -> None:
    """Raises InputError when a profile or a claim file is malformed."""
    found = methods.all_methods()
    print("methods")
    for method in found.values():
        print(f"  {method.name:24} {method.path}")
    print("tasks")
    for family in methods.families():
        print(f"  {family:24} {', '.join(methods.tasks(family))}")
    print("profiles")
    for name in profiles.names():
        profile = profiles.read(name)
        print(f"  {name:24} tier {profile.tier}, {profile.hardware.device}: {', '.join(sorted(profile.entries))}")
    print("claims")
    for paper, claim in claims.read_all():
        print(f"  {claim.id:36} {claim.kind}, scope {claim.scope}; {paper.title}")
