"""Stage pairs: noises and what a trained entry makes of them -> runs/<profile>/<entry>/pairs/n<count>_s<seed>/.

What entries that need this one learn from (reflow, distillation). The folder is there whole or not at all.
"""

import shutil
from pathlib import Path

from benchmarks import profiles
from benchmarks.errors import CheckFailed
from benchmarks.methods import find_method, tasks
from benchmarks.progress import Progress
from benchmarks.seeds import derive
from benchmarks.stages.evaluate import trained
from benchmarks.stages.train import RUNS, check_hardware, model_folder


def pairs_folder(profile: str, entry: str, seed: int, count: int) -> Path:
    return RUNS / profile / entry / "pairs" / f"n{count}_s{seed}"


def run(profile: str, entry: str, seed: int, count: int, off_profile: bool) -> None:
    """Raises InputError when params, hardware, settings or models are not as they must be; CheckFailed when the run
    that trained the model diverged.
    """
    params = profiles.read_params_of(profile)
    composed = profiles.run_of(params, entry)
    method = find_method(composed.method)
    check_hardware(params.hardware, profile, off_profile)
    told = trained(method, profile, entry, seed)
    if told.status != "done":
        raise CheckFailed(f"{entry} s{seed}: no pairs of a model whose training {told.status}: {told.reason}")
    settings = profiles.typed_settings(method, composed.method_settings(), f"{profiles.PARAMS}: entries.{entry}")
    import torch

    from benchmarks.families.diffusion.pairs import BATCH, make
    from benchmarks.torch_flags import TorchFlags

    folder = pairs_folder(profile, entry, seed, count)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    weights = torch.load(model_folder(profile, entry, seed) / "model.pt", "cpu", weights_only=True)
    flags, task = TorchFlags(**params.hardware.arithmetic()), tasks(method.family)[composed.task]
    with Progress(f"{profile} {entry} s{seed} pairs", -(-count // BATCH), BATCH) as progress:

        def report(done: int) -> None:
            progress.step(-(-done // BATCH), 0.0, 0.0)

        # A flow that learned from pairs itself makes its own of noises that it has not learned from.
        own = derive(seed, entry) if settings.pairs else seed
        make(method.module(), settings, task, weights, own, count, flags, partial, report)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
