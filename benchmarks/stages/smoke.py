"""Every entry of profile smoke in one process and a folder of its own, to first verdicts: does everything run?

The checkout's parameters, pipelines and results stay as they are. That DVC runs the same stages is for tests/pipeline.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.plan import composition, profiles
from benchmarks.plan.methods import families
from benchmarks.plan.params import Params
from benchmarks.plan.pipelines import pairs_of
from benchmarks.record.records import ENTRIES, TABLES, read_record
from benchmarks.run.stopping import Stopped, noting_failure

PROFILE = "smoke"
# What a run reads of a checkout.
CODE = ("benchmarks", "implementations", "dvc.yaml", "numerics.txt", "requirements.lock")
DATA = Path("data")


def run(wanted: str | None, keep: Path | None) -> None:
    """Runs the entries, of one family or of all, and prints how each ended, then the verdicts.

    Raises:
        InputError: no such family; the folder to keep it in is not empty; data cannot be fetched.
        CheckFailed: an entry did not end as it should.
    """
    if wanted is not None and wanted not in families():
        raise InputError(f"family {wanted}: there are {', '.join(families())}")
    began, cpu = time.monotonic(), time.process_time()
    with _folder(keep) as folder:
        _link(Path.cwd(), folder)
        with _inside(folder):
            bad = _all(wanted)
        if keep:
            print(f"\nall of it is in {keep}")
    print(f"\n{time.monotonic() - began:.0f} s, {time.process_time() - cpu:.0f} s of CPU")
    if bad:
        raise CheckFailed("\n".join(bad))


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Where to run: a folder to keep, or one that goes."""
    with ExitStack() as stack:
        if keep is None:
            yield Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="claimbench-smoke-")))
            return
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise InputError(f"{keep}: not an empty folder; choose another one")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep


def _link(checkout: Path, folder: Path) -> None:
    """Links to the checkout's code, and to the data sets that it has."""
    for name in CODE:
        (folder / name).symlink_to(checkout / name)
    (folder / DATA).mkdir()
    for path in sorted((checkout / DATA).glob("[!.]*")):
        (folder / DATA / path.name).symlink_to(path)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Stages read and write below the working folder."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _all(wanted: str | None) -> list[str]:
    """Composes the profile, runs entries and judges; gives a line for each that did not end as it should."""
    from benchmarks.stages import judge, report

    params = composition.compose(profiles.read(PROFILE))
    composition.write_params(params)
    entries = in_order(params, wanted)
    _prepare(params, entries)
    bad: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        began = time.monotonic()
        lacking = [need for need in params.entries[entry].needs if need in bad]
        found = f"needs {lacking[0]}, which failed" if lacking else _entry(params, entry)
        if found:
            bad[entry] = f"{entry}: {found}"
        told = f"failed: {found}" if found else "done"
        print(f"{number}/{len(entries)} {entry}: {told} ({time.monotonic() - began:.1f} s)", flush=True)
    everything = judge.results()
    judge.write(everything, TABLES)
    report.write(everything, report.REPORTS)
    for results in everything:
        judged = [verdict for verdict in results.verdicts if verdict.verdict != "not run"]
        print("\n" + report.summary(replace(results, verdicts=judged)))
    return list(bad.values())


def in_order(params: Params, wanted: str | None = None) -> list[str]:
    """Entries, of one family or of all, each after those that it needs."""
    entries = [name for name, entry in params.entries.items() if wanted in (None, entry.family)]
    return list(dict.fromkeys(name for entry in entries for name in (*reversed(params.needed(entry)), entry)))


def _prepare(params: Params, entries: list[str]) -> None:
    """Data sets, and what is made of them for evaluation."""
    composed = [params.entries[entry] for entry in entries]
    for dataset in sorted({entry.dataset for entry in composed if entry.dataset}):
        from benchmarks.stages import features, fetch

        if not (DATA / dataset).exists():
            fetch.run(dataset)
        features.run(dataset)
    for extractor in sorted({entry.extractor for entry in composed if entry.extractor}):
        from benchmarks.stages import extractors

        extractors.run(extractor)


def _entry(params: Params, entry: str) -> str:
    """Trains and evaluates an entry; gives why it did not end as it should, or nothing."""
    from benchmarks.stages import evaluate, pairs, train

    composed = params.entries[entry]
    try:
        for seed in composed.seeds if composed.steps is not None else ():
            count = composed.pairs()
            if count and not pairs_of(PROFILE, composed.needs[-1], seed, count).exists():
                with noting_failure(PROFILE, composed.needs[-1], seed):
                    pairs.run(PROFILE, composed.needs[-1], seed, count, False)
            with noting_failure(PROFILE, entry, seed):
                train.run(PROFILE, entry, seed, False)
        with noting_failure(PROFILE, entry, None):
            evaluate.run(PROFILE, entry, False)
    except Stopped:
        raise
    except (InputError, CheckFailed) as error:
        return str(error)
    ended = [run for run in read_record(ENTRIES / PROFILE / f"{entry}.json").runs if run.status != "done"]
    return f"s{ended[0].seed} {ended[0].status}: {ended[0].reason}" if ended else ""
