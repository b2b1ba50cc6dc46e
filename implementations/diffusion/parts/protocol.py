"""What a method of `implementations/diffusion/` declares. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from implementations.common.recipes import Recipe
    from implementations.diffusion.parts.couplings import Recorded
    from implementations.diffusion.parts.parameterisations import Denoise, Denoiser
    from implementations.diffusion.parts.samplers import Noise, Streams


class Sampler(Protocol):
    """A way to sample a trained model; its name is the variant `sampler` of its rows."""

    __name__: str

    def __call__(self, model: Denoiser, settings: Any, steps: int, streams: Streams, /) -> Tensor:
        """Samples (batch, *shape) of the data's scale, float64.

        `steps` are those of the grid; one that does not read them is adaptive. How often the model is evaluated is
        counted, not stated. `streams` give each image its own draws, the starting noise first.
        """


@dataclass(frozen=True, kw_only=True)
class DiffusionMethod:
    """Data is on [-1, 1], (batch, *shape), float32 in training.

    What trains has `build`, `loss` and `recipe`; its settings have `network`, `width`, `dropout`, `batch`,
    `gradient_clip` and `ema_half_life`. What trains nothing samples another method's models: its entries name in
    `needs` the entry that trained the model.
    """

    settings: type[Any]
    """Frozen dataclass; each field says where its value comes from."""

    build: Callable[[Any, tuple[int, ...], torch.Generator], Denoiser] | None = None
    """(settings, shape, generator) to an untrained model of (d,), (height, width) or (channels, height, width)."""

    loss: Callable[[Denoiser, Any, Tensor, torch.Generator], Tensor] | None = None
    """(model, settings, x, generator) to the scalar training loss of a batch."""

    recipe: Recipe | None = None

    paired_loss: Callable[[Denoiser, Any, Tensor, Tensor, torch.Generator], Tensor] | None = None
    """(model, settings, x, noise, generator): the loss of pairs that `recorded` made with another model."""

    recorded: Callable[[Denoiser, Any, Streams], Recorded] | None = None
    """(model, settings, streams) to noises and what the model makes of them."""

    samplers: tuple[Sampler, ...]

    trained_by: str | None = None
    """The method whose models it samples, where it trains none."""

    log_likelihood: Callable[[Denoiser, Any, Tensor, torch.Generator], Tensor] | None = None
    """(model, settings, x, generator) to nats of examples, (batch,): up to its solver exact, or with an unbiased
    estimate of the trace in many dimensions; settings have `tolerance`, `first_time`, `exact_trace_dimensions`."""

    variational_bound: Callable[[Denoiser, Any, Tensor, torch.Generator], Tensor] | None = None
    """(model, settings, x, generator) to upper bounds of the negative log-likelihood, nats, (batch,)."""

    bound_terms: Callable[[Denoise, Any, Tensor, Noise], Tensor] | None = None
    """(denoise, settings, x, noise) to the bound's terms, (T + 1, batch), the first of them the distortion."""

    straightness: Callable[[Denoiser, Any, int, Streams], Tensor] | None = None
    """(model, settings, steps, streams) to how far each path is from a line, (batch,); goes with `recorded`."""

    reconstruction_error: Callable[[Denoiser, Any, Tensor, int], Tensor] | None = None
    """(model, settings, x, steps) to the mean square error of what an encoding decodes to, (batch,)."""

    varies: tuple[str, ...] = ()
    """Settings along which papers compare: they name the rows, so that trends can be judged."""

    EVALUATION: ClassVar[frozenset[str]] = frozenset(
        {
            "samplers", "recorded", "trained_by", "log_likelihood", "variational_bound", "bound_terms", "straightness",
            "reconstruction_error", "varies",
        }
    )  # fmt: skip
