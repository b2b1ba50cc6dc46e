"""Lists what is at hand: methods, tasks, profiles and papers; or the entries of one profile."""

import textwrap
from collections import Counter

from benchmarks.judging import claims
from benchmarks.plan import methods, profiles

WIDTH = 100  # columns


def run(name: str | None = None) -> None:
    """Raises InputError when there is no such profile, or a profile or a claim file is malformed."""
    if name is not None:
        return _entries(name)
    print("methods")
    for method in methods.all_methods().values():
        print(f"  {method.name:24} {method.path}")
    print("tasks")
    for family in methods.families():
        tasks = ", ".join(methods.tasks(family))
        print(textwrap.fill(tasks, WIDTH, initial_indent=f"  {family:24} ", subsequent_indent=" " * 27))
    print("profiles (their entries: claimbench list PROFILE)")
    read = {profile: profiles.read(profile) for profile in profiles.names()}
    for profile, found in read.items():
        print(f"  {profile:24} tier {found.tier}, {found.hardware.device}, {len(found.entries)} entries")
    print("papers (their claims: claimbench claims)")
    known = claims.read_all(entries={profile: list(found.entries) for profile, found in read.items()})
    papers = {paper.key: paper for paper, _ in known}
    for key, count in Counter(paper.key for paper, _ in known).items():
        print(f"  {key:24} {count:3} claims; {papers[key].title}")
    return None


def _entries(name: str) -> None:
    for entry, found in sorted(profiles.read(name).entries.items()):
        print(f"{entry:40} {found.method:24} {found.task}")
