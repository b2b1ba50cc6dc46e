"""Stage pairs: what a trained entry makes, for others to learn from -> runs/<profile>/<entry>/pairs/n<count>_s<seed>/.

Noises and their images (reflow, distillation), prompts and their completions (preferences): the family's pairs.py says.
The folder is there whole or not at all.
"""

import shutil

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import write_json
from benchmarks.plan import composition, hardware
from benchmarks.plan.family import family
from benchmarks.plan.pipelines import pairs_of
from benchmarks.provenance.identity import Identities
from benchmarks.run.files import pairs_files
from benchmarks.run.job import PairsJob
from benchmarks.run.progress import Progress
from benchmarks.run.seeds import seed_of_pairs
from benchmarks.stages.evaluate import trained
from benchmarks.stages.train import of_entry, trainer_of


def run(profile: str, entry: str, seed: int, count: int, off_profile: bool) -> None:
    """Of a model whose training did not end well there are none: the folder then says why.

    Raises InputError when params, hardware, settings or models are not as they must be; code was edited meanwhile.
    """
    params = composition.read_params_of(profile)
    composed = composition.run_of(params, entry)
    hardware.check(params.hardware, profile, off_profile)
    found = trained(params, entry, seed)
    folder = pairs_of(profile, entry, seed, count)
    if found.status != "done":  # what would learn from them is skipped too, and says why
        shutil.rmtree(folder, ignore_errors=True)
        write_json(folder / "none.json", {"status": found.status, "reason": found.reason})
        print(f"{entry} s{seed}: no pairs of a model whose training {found.status}: {found.reason}")
        return
    source = Identities().pairs(params, entry)
    own = trainer_of(params, entry)
    make = family(composed.family).pair_maker()
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    with Progress(f"{profile} {entry} s{seed} pairs", count, 1) as progress:
        job = PairsJob(
            **of_entry(params, entry, seed_of_pairs(seed, entry, own.settings)),
            files=pairs_files(params, entry, seed),
            count=count,
            folder=partial,
            report=progress.reached,
        )
        make(job)
    if Identities().pairs(params, entry) != source:
        raise InputError(f"entry {entry}: code of {composed.method} was edited while it made pairs; run: dvc repro")
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
