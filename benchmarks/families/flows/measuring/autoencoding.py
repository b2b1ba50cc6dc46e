"""A variational autoencoder with a bent posterior: bounds on the negative log-likelihood of binary images."""

import numpy as np
import torch

from benchmarks.families.flows.learning import binarised
from benchmarks.families.flows.measuring.trained import BATCH, NOISE_SEED, Subject, counts
from benchmarks.families.flows.problems import BinaryAutoencoding
from benchmarks.record.evaluated import Evaluated, Picture, Value
from benchmarks.run import inputs
from benchmarks.run.seeds import torch_generator
from implementations.flows.parts.autoencoder import Autoencoder

DRAWS = 20  # of the posterior an image, for the mean of the bound
IMPORTANCE_SAMPLES = 500  # an image; 28x28 images take many minutes


def measure(task: BinaryAutoencoding, trained: Subject) -> Evaluated:
    """Rows in float64 and draws of the decoder's means."""
    model, job = trained.model, trained.job
    assert isinstance(model, Autoencoder)
    images = inputs.images(job, "test")
    x = binarised(torch.from_numpy(images.reshape(len(images), -1)), task).double()
    protocol: dict[str, Value] = {
        "split": "test",
        "samples": len(x),
        "quantisation": f"1 where the grey level is at least {task.threshold}",
        "checkpoint": "best validation bound",
        "arithmetic": "float64",
        "noise_seed": NOISE_SEED,
    }
    noise = torch_generator(NOISE_SEED, "evaluation noise")
    with torch.no_grad():
        bound = torch.stack([model.bound(x, noise).mean() for _ in range(DRAWS)]).mean()
        weighted = torch.cat([model.log_likelihood(part, IMPORTANCE_SAMPLES, noise) for part in x.split(BATCH)])
        z = torch.randn(job.samples, task.latent, dtype=x.dtype, generator=torch_generator(job.seed, "samples"))
        means = torch.sigmoid(model.decoder(z))
    rows = [
        *counts(trained, protocol),
        trained.row("negative_elbo", -float(bound), "nats", "lower", len(x), {**protocol, "draws": DRAWS}),
        trained.row(
            "importance_weighted_bound",
            -float(weighted.mean()),
            "nats",
            "lower",
            len(x),
            {**protocol, "draws": IMPORTANCE_SAMPLES},
        ),
    ]
    array = np.rint(means.numpy() * 255).astype(np.uint8).reshape(len(means), *task.shape)
    return Evaluated(rows, pictures=[Picture("samples", "means of the decoder at draws of the prior", array, 255, 0)])
