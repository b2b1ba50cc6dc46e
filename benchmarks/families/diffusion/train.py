"""Training of a diffusion model: the method's own loss, of data or of the pairs that another model made."""

from collections.abc import Callable
from math import ceil

import torch
from torch import Tensor, nn

from benchmarks.families.diffusion import pairs
from benchmarks.families.diffusion.mixtures import points
from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration
from benchmarks.families.diffusion.scale import data
from benchmarks.run import inputs
from benchmarks.run.job import TrainingJob
from benchmarks.run.seeds import torch_generator
from benchmarks.run.torch_flags import TorchFlags
from benchmarks.run.training import Objective, fit_job
from implementations.common.errors import Unsupported
from implementations.common.fit import Fitted

VALIDATION_EXAMPLES = 3000  # at least; a small split is gone through several times, each time with other noise

Loss = Callable[[str, Tensor, torch.Generator], Tensor]  # (split, indices, noise)


def train(job: TrainingJob) -> tuple[nn.Module, Fitted]:
    """The model with the weights of the lowest validation loss, which is the method's own, and how its training went.

    What starts from another entry has its weights at first, and learns from its pairs alone.

    Raises:
        Unsupported: the method cannot be used for this task, or a batch is larger than the training set.
    """
    TorchFlags(**job.arithmetic).apply()
    model = job.method.build(job.settings, job.task.shape, torch_generator(job.seed, "initial weights")).to(job.device)
    if "start" in job.files:
        model.load_state_dict(inputs.weights(job, "start"))
        counts, loss_of = _of_pairs(job, model)
    elif isinstance(job.task, MixtureGeneration):
        counts, loss_of = _of_points(job, job.task, model)
    else:
        counts, loss_of = _of_images(job, job.task, model)

    def validate() -> float:
        # The same noise at every validation, so that values along a run differ by the weights alone; and batches as in
        # training, since the law of some losses depends on their size.
        own, total, seen = job.generator("validation noise"), 0.0, 0
        with torch.no_grad():
            for _ in range(ceil(VALIDATION_EXAMPLES / counts["valid"])):
                for batch in torch.arange(counts["valid"]).split(job.settings.batch):
                    total += float(loss_of("valid", batch, own)) * len(batch)
                    seen += len(batch)
        return total / seen

    def loss(indices: Tensor, noise: torch.Generator) -> Tensor:
        return loss_of("train", indices, noise)

    return fit_job(job, Objective(model, counts["train"], loss, validate))


def _of_images(job: TrainingJob, task: ImageGeneration, model: nn.Module) -> tuple[dict[str, int], Loss]:
    """How many examples each split has, and the loss of some of them."""
    levels = {split: torch.from_numpy(inputs.images(job, split)).to(job.device) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        x = data(levels[split][indices.to(job.device)], task, noise, torch.float32)
        found: Tensor = job.method.loss(model, job.settings, x, noise)
        return found

    return {split: len(rows) for split, rows in levels.items()}, loss


def _of_points(job: TrainingJob, task: MixtureGeneration, model: nn.Module) -> tuple[dict[str, int], Loss]:
    if getattr(job.settings, "grey_levels", None) is not None:
        raise Unsupported(f"settings.grey_levels: found {job.settings.grey_levels}; points have none, so null")
    splits = {split: points(task, split).float().to(job.device) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        found: Tensor = job.method.loss(model, job.settings, splits[split][indices.to(job.device)], noise)
        return found

    return {"train": task.train, "valid": task.valid}, loss


def _of_pairs(job: TrainingJob, model: nn.Module) -> tuple[dict[str, int], Loss]:
    """There may be more than memory holds: each batch is read from the disk."""
    folder, count = inputs.path(job, "pairs"), job.settings.pairs
    splits = {split: pairs.read(folder, count, split) for split in ("train", "valid")}

    def loss(split: str, indices: Tensor, noise: torch.Generator) -> Tensor:
        of, rows = splits[split], indices.numpy()
        x, eps = (torch.from_numpy(part[rows]).to(job.device) for part in (of.data, of.noise))
        found: Tensor = job.method.paired_loss(model, job.settings, x, eps, noise)
        return found

    return {split: len(found.data) for split, found in splits.items()}, loss
