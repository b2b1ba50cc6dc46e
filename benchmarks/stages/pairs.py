"""Stage pairs: what a trained entry makes, for others to learn from -> runs/<profile>/<entry>/pairs/n<count>_s<seed>/.

Noises and their images (reflow, distillation), prompts and their completions (preferences): the family's pairs.py says.
The folder is there whole or not at all.
"""

import importlib
import shutil
from pathlib import Path

from benchmarks import profiles
from benchmarks.data.parts.corpus import Corpus
from benchmarks.errors import CheckFailed
from benchmarks.methods import find_method, tasks
from benchmarks.progress import Progress
from benchmarks.seeds import derive
from benchmarks.stages.evaluate import trained
from benchmarks.stages.train import RUNS, check_hardware, examples_of, model_folder


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

    from benchmarks.torch_flags import TorchFlags

    family = importlib.import_module(f"benchmarks.families.{method.family}.pairs")
    folder = pairs_folder(profile, entry, seed, count)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    weights = torch.load(model_folder(profile, entry, seed) / "model.pt", "cpu", weights_only=True)
    flags, task = TorchFlags(**params.hardware.arithmetic()), tasks(method.family)[composed.task]
    with Progress(f"{profile} {entry} s{seed} pairs", -(-count // family.BATCH), family.BATCH) as progress:

        def report(done: int) -> None:
            progress.step(-(-done // family.BATCH), 0.0, 0.0)

        # What learned from pairs itself makes its own from other draws than those that it has learned from.
        own = derive(seed, entry) if getattr(settings, "pairs", None) else seed
        given = (method.module(), settings, task, weights, own, count, flags, partial, report)
        if task.dataset is not None and isinstance(examples := examples_of(task.dataset), Corpus):
            family.make(*given, examples)
        else:
            family.make(*given)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
