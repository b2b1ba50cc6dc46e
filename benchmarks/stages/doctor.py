"""Can this machine run a profile? Hardware, versions, data, disk: a line each, with the fix."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from benchmarks.data.parts import dataset
from benchmarks.files.errors import CheckFailed
from benchmarks.plan import composition, hardware, profiles
from benchmarks.record.receipts import LOCK

DISK_GIB = 2.0  # models, caches and evaluations of the largest profile measured so far, twice over
OLDEST, NEWEST = (3, 11), (3, 14)  # of Python; the same bytes are promised on the oldest, the reference


def _dotted(numbers: tuple[int, int]) -> str:
    return ".".join(map(str, numbers))


def lock_findings(lock: Path) -> list[str]:
    """Packages that are not installed as the lock file pins them for this Python and system."""
    if not lock.exists():
        return [f"{lock} is missing; restore it with git"]
    found = []
    for line in lock.read_text().splitlines():
        try:
            pin = Requirement(line.partition("#")[0].strip().rstrip("\\"))
        except InvalidRequirement:  # a comment, an option, a hash
            continue
        if pin.marker is not None and not pin.marker.evaluate():
            continue
        try:
            installed = version(pin.name)
        except PackageNotFoundError:
            installed = None
        if installed is None or not pin.specifier.contains(installed, prereleases=True):
            locked = str(pin.specifier).removeprefix("==")
            found.append(f"{pin.name} is {installed or 'nothing'}, the lock has {locked}")
    return found


def run(name: str | None) -> None:
    """Prints a line for each check.

    Raises:
        InputError: no such profile.
        CheckFailed: something would keep the profile from running.
    """
    if name is None:
        name = composition.read_params().profile
    profile = profiles.read(name)
    wrong = 0

    def line(what: str, good: bool, message: str) -> None:
        nonlocal wrong
        wrong += not good
        print(f"{'ok   ' if good else 'WRONG'} {what}: {message}")

    machine = hardware.this_machine(profile.hardware.device)
    required = profile.hardware
    extensions = hardware.instructions()
    unmet = {field: found for field, _, found in hardware.mismatches(required, machine, extensions)}
    checks: list[tuple[str, object, object]] = [("device", required.device, f"{machine.count} found")]
    if machine.count:  # nothing else can be said of a device that is not there
        checks += [
            ("name", required.name, machine.name),
            ("count", required.count, machine.count),
            ("memory_gib", f"at least {required.memory_gib:g}", machine.memory_gib),
            ("threads", required.threads, f"{machine.cores} cores"),
        ]
    if required.device == "cpu" and required.precision == "bfloat16":
        there = "its instructions" if extensions is not None else "not known; slow where there are no instructions"
        checks.append(("precision", required.precision, unmet.get("precision", there)))
    for field, needed, here in checks:
        fix = "" if field not in unmet else "; run on such a machine, or stages with --off-profile (marked)"
        line(f"hardware.{field}", field not in unmet, f"needs {needed}, here {here}{fix}")
    python = sys.version_info[:2]
    line("python", OLDEST <= python <= NEWEST, f"needs {_dotted(OLDEST)} to {_dotted(NEWEST)}, here {_dotted(python)}")
    pins = lock_findings(LOCK)
    line(
        "versions",
        not pins,
        "as the lock file pins them" if not pins else f"{pins[0]} ({len(pins)} in all); run: make setup",
    )
    for data in composition.compose(profile).datasets:
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
