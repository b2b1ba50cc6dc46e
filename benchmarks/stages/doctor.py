"""Can this machine run a profile? Hardware, versions, data, disk: a line each, with the fix."""

import re
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks import hardware, profiles
from benchmarks.data.parts import dataset
from benchmarks.errors import CheckFailed
from benchmarks.receipts import LOCK

DISK_GIB = 2.0  # models, caches and evaluations of the largest profile measured so far, twice over


def lock_findings(lock: Path) -> list[str]:
    """Packages that are not installed as the lock file pins them."""
    if not lock.exists():
        return [f"{lock} is missing; restore it with git"]
    found = []
    for line in lock.read_text().splitlines():
        pin = re.fullmatch(r"([A-Za-z0-9_.\[\]-]+)==([^\s;#]+).*", line.strip())
        if not pin:
            continue
        name, wanted = pin.group(1).split("[")[0], pin.group(2)
        try:
            installed = version(name)
        except PackageNotFoundError:
            installed = "nothing"
        if installed != wanted:
            found.append(f"{name} is {installed}, the lock has {wanted}")
    return found


def run(name: str | None) -> None:
    """Prints a line for each check.

    Raises:
        InputError: no such profile.
        CheckFailed: something would keep the profile from running.
    """
    if name is None:
        name = profiles.read_params().profile
    profile = profiles.read(name)
    wrong = 0

    def line(what: str, good: bool, told: str) -> None:
        nonlocal wrong
        wrong += not good
        print(f"{'ok   ' if good else 'WRONG'} {what}: {told}")

    machine = hardware.this_machine(profile.hardware.device)
    unmet = {field: (needed, found) for field, needed, found in hardware.mismatches(profile.hardware, machine)}
    required = profile.hardware
    checks: list[tuple[str, object, object]] = [("device", required.device, f"{machine.count} found")]
    if machine.count:  # nothing else can be said of a device that is not there
        checks += [
            ("name", required.name, machine.name),
            ("count", required.count, machine.count),
            ("memory_gib", f"at least {required.memory_gib:g}", machine.memory_gib),
            ("threads", required.threads, f"{machine.cores} cores"),
        ]
    for field, needed, here in checks:
        fix = "" if field not in unmet else "; run on such a machine, or stages with --off-profile (marked)"
        line(f"hardware.{field}", field not in unmet, f"needs {needed}, here {here}{fix}")
    python = ".".join(map(str, sys.version_info[:2]))
    line("python", python == "3.11", f"needs 3.11, here {python}")
    pins = lock_findings(LOCK)
    line(
        "versions",
        not pins,
        "as the lock file pins them" if not pins else f"{pins[0]} ({len(pins)} in all); run: make setup",
    )
    for data in profiles.compose(profile).datasets:
        folder = Path("data") / data
        if not folder.exists():
            line(f"data {data}", True, f"not fetched yet; dvc repro will, or: claimbench fetch {data}")
        else:
            found = dataset.check(dataset.find(data), folder)
            line(
                f"data {data}",
                not found,
                f"{found[0]}; run: claimbench fetch {data}" if found else "every checksum matches",
            )
    free = shutil.disk_usage(Path()).free / 2**30
    line(
        "disk",
        free >= DISK_GIB,
        f"{free:.1f} GiB free, {DISK_GIB:g} needed" + ("" if free >= DISK_GIB else "; free some"),
    )
    if wrong:
        raise CheckFailed(f"{wrong} of the checks of profile {name} failed")
