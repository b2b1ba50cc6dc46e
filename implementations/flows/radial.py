"""Radial flow. Rezende, Mohamed: Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770.

K maps carry a standard normal z_0 to the density that is modelled; each contracts or expands space around a centre:

    f(z) = z + beta h (z - c),    h = 1 / (alpha + r),    r = |z - c|
    log |det df/dz| = (d - 1) log(1 + beta h) + log(1 + beta h + beta h' r),    h' = -1 / (alpha + r)^2

A map is invertible where beta >= -alpha, for alpha > 0; both come from numbers without bounds (appendix):

    alpha = softplus(alpha_raw),    beta = -alpha + gamma,    gamma = softplus(beta_raw)

so that 1 + beta h = (gamma + r) / (alpha + r), and the last factor is (r^2 + 2 alpha r + alpha gamma) / (alpha + r)^2:
nothing negative, nothing that cancels. As in the paper the maps lead away from the prior: a model's `decode` applies
them. `encode`, which the likelihood of data takes, inverts them in closed form. The distance s = |f(z) - c| is
r (gamma + r) / (alpha + r), so r^2 + (gamma - s) r - alpha s = 0, with one root r >= 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from implementations.common.errors import Unsupported
from implementations.flows.parts.autoencoder import AmortisedMaps
from implementations.flows.parts.flow import Flow, negative_log_likelihood
from implementations.flows.parts.protocol import FlowMethod
from implementations.flows.parts.rezende_mohamed import RMSPROP_WITH_MOMENTUM, Settings


def _log_determinants(r: Sequence[Tensor], alpha: Tensor, gamma: Tensor, dimensions: int) -> Tensor:
    """The sum over the K maps, of shape (batch,), from the distance at which each was applied."""
    distance, alpha, gamma = torch.stack(tuple(r)), alpha.reshape(len(alpha), -1), gamma.reshape(len(gamma), -1)
    log_h = -(alpha + distance).log()
    across = (gamma + distance).log() + log_h
    along = (distance * (distance + 2 * alpha) + alpha * gamma).log() + 2 * log_h
    return ((dimensions - 1) * across + along).sum(0)


def compose(z: Tensor, centre: Tensor, alpha_raw: Tensor, beta_raw: Tensor) -> tuple[Tensor, Tensor]:
    """K maps, one after the other: centre of shape (K, d) or (K, batch, d), the others of shape (K,) or (K, batch)."""
    alpha, gamma = softplus(alpha_raw), softplus(beta_raw)
    distances = []
    for c, a, g in zip(centre, alpha, gamma, strict=True):
        away = z - c
        r = away.norm(dim=-1)
        z = c + ((g + r) / (a + r))[..., None] * away
        distances.append(r)
    return z, _log_determinants(distances, alpha, gamma, z.shape[-1])


def invert(y: Tensor, centre: Tensor, alpha_raw: Tensor, beta_raw: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `compose`, last map first."""
    alpha, gamma = softplus(alpha_raw), softplus(beta_raw)
    distances = []
    for c, a, g in zip(centre.flip(0), alpha.flip(0), gamma.flip(0), strict=True):
        away = y - c
        s = away.norm(dim=-1)
        # The root larger in size is found first, the other by their product -alpha s, so that no digits cancel.
        larger = 0.5 * ((s - g).abs() + ((s - g).square() + 4 * a * s).sqrt())
        r = torch.where(s >= g, larger, a * s / larger)
        y = c + ((a + r) / (g + r))[..., None] * away
        distances.append(r)
    return y, -_log_determinants(distances[::-1], alpha, gamma, y.shape[-1])


class Radial(nn.Module):
    """K maps, as a bijection from data to latent: `forward` inverts them, last first, and `inverse` applies them."""

    def __init__(self, centre: Tensor, alpha_raw: Tensor, beta_raw: Tensor):
        """Initial values: the centres of shape (K, d), the others of shape (K,)."""
        super().__init__()
        self.centre = nn.Parameter(centre)
        self.alpha_raw, self.beta_raw = nn.Parameter(alpha_raw), nn.Parameter(beta_raw)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return invert(x, self.centre, self.alpha_raw, self.beta_raw)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return compose(y, self.centre, self.alpha_raw, self.beta_raw)


def posterior(settings: Settings, dimensions: int) -> AmortisedMaps:
    """The flow of a variational posterior: maps of its own an example, the identity where all parameters are 0."""
    return AmortisedMaps(compose, [(dimensions,), (), ()], settings.flow_length)


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """An untrained model with K (d + 2) parameters; centres start as draws of the prior, beta near 0.

    Raises:
        ValueError: the examples are not vectors, or there is no map.
    """
    if len(shape) != 1 or settings.flow_length < 1:
        raise Unsupported(f"radial models vectors by 1 map or more, not {tuple(shape)} by {settings.flow_length}")
    centre = torch.randn(settings.flow_length, shape[0], generator=generator)
    alpha_raw, off = 0.3 * torch.randn(2, settings.flow_length, generator=generator)
    return Flow(Radial(centre, alpha_raw, alpha_raw + off), shape[0])


METHOD = FlowMethod(
    settings=Settings, build=build, loss=negative_log_likelihood, recipe=RMSPROP_WITH_MOMENTUM, posterior=posterior,
    varies=("flow_length",),
)  # fmt: skip
