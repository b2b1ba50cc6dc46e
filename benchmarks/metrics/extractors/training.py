"""Training of the small classifier. Apart from its use: what evaluates need not change when this does."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy

from benchmarks.metrics.extractors.small_classifier import ClassifierSettings, SmallClassifier
from implementations.common.fit import NullCheckpoint, Plan, fit

CHUNK = 1000


def train_classifier(
    images: NDArray[np.uint8], labels: NDArray[np.integer], settings: ClassifierSettings, generator: torch.Generator
) -> SmallClassifier:
    """Adam on the cross-entropy for so many epochs; the last weights, frozen, for evaluation.

    Grey levels (n, *shape) and classes (n,). `generator` draws the first weights and every order; with one thread the
    same generator gives the same bits. Raises ValueError when images and labels do not fit each other or the settings,
    FloatingPointError when the loss or its gradient is not finite.
    """
    if len(images) != len(labels) or len(images) < settings.batch:
        raise ValueError(f"images and labels: found {len(images)} and {len(labels)}; at least one batch, equal numbers")
    if int(images.max()) >= settings.levels:
        raise ValueError(f"images: found level {images.max()}; levels are below {settings.levels}")
    model = SmallClassifier(settings, generator)
    x, y = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    optimiser = torch.optim.Adam(model.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * (len(x) // settings.batch)

    def loss(batch: Tensor) -> Tensor:
        return cross_entropy(model(x[batch])[1], y[batch])

    def whole() -> float:
        with torch.no_grad():
            pieces = zip(x.split(CHUNK), y.split(CHUNK), strict=True)
            return sum(float(cross_entropy(model(a)[1], b, reduction="sum")) for a, b in pieces) / len(x)

    # Looked at once, at the end, so the last weights are the ones that stay.
    plan = Plan(examples=len(x), batch=settings.batch, steps=steps, validate_every=steps)
    fitted = fit(model, optimiser, loss, whole, plan, generator, {}, NullCheckpoint(), lambda *_: None, lambda: False)
    if fitted.status != "done":
        raise FloatingPointError(f"classifier: {fitted.reason}")
    return model.eval().requires_grad_(False)
