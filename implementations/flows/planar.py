"""Planar flow. Rezende, Mohamed: Variational Inference with Normalizing Flows, 2015, arXiv 1505.05770.

K maps carry a standard normal z_0 to the density that is modelled; each bends space along a hyperplane:

    f(z) = z + u_hat tanh(w.z + b),    log |det df/dz| = log(1 + u_hat.psi),    psi = (1 - tanh(w.z + b)^2) w

A map is invertible where w.u_hat >= -1, which the appendix obtains from any u:

    u_hat = u + (m(w.u) - w.u) w / |w|^2,    m(a) = -1 + log(1 + e^a),    so that w.u_hat = m(w.u)

At w = 0, where this has no limit, u_hat is u and the map a translation. As in the paper the maps lead away from the
prior: a model's `decode` applies them. `encode`, which the likelihood of data takes, inverts them: for a = w.z + b that
is one monotone equation, a + m tanh a = w.y + b with m = w.u_hat, solved by Newton's method.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, softplus

from implementations.common.errors import Unsupported
from implementations.flows.parts.autoencoder import AmortisedMaps
from implementations.flows.parts.flow import Flow, negative_log_likelihood
from implementations.flows.parts.protocol import FlowMethod
from implementations.flows.parts.rezende_mohamed import RMSPROP_WITH_MOMENTUM, Settings

UNBENT = 0.5413248546129181  # log(e - 1), where m is 0: u = UNBENT w / |w|^2 gives u_hat = 0, the identity


def constrained(u: Tensor, w: Tensor, level: float = 0.0) -> tuple[Tensor, Tensor]:
    """u_hat of u + level w / |w|^2, of shape (..., d) as u and w, and 1 + w.u_hat >= 0 of shape (...,)."""
    product, square = (w * u).sum(-1), w.square().sum(-1)
    smallest = torch.finfo(w.dtype).tiny
    # A threshold of 40 keeps all digits of float64; torch's default of 20 would leave out e^-20.
    slack = torch.where(square > smallest, softplus(product + level, threshold=40.0), 1.0)
    return u + ((slack - 1 - product) / square.clamp_min(smallest))[..., None] * w, slack


def _slope(bend: Tensor, slack: Tensor) -> Tensor:
    """1 + (1 - tanh^2) w.u_hat as a sum of terms that are not negative; `bend` is the tanh."""
    return bend.square() + (1 - bend.square()) * slack


@torch.no_grad()
def solved(total: Tensor, slack: Tensor, iterations: int = 100) -> Tensor:
    """The a of a + m tanh a = total, m = slack - 1, elementwise to rounding; a constant to autograd.

    The equation is odd. On a >= 0 it is concave for m > 0 and convex for m < 0, and its root lies between two bounds;
    from the right one Newton's method nears it from one side: in float64 by 4 steps near the identity, 12 at m = 10^4.
    """
    size, m = total.abs(), slack - 1
    far, near = size - m, size / slack  # from tanh a <= 1 and tanh a <= a
    a = torch.where(m > 0, torch.maximum(far, near), torch.fmin(far, near))
    for _ in range(iterations):
        bend = torch.tanh(a)
        error = a + m * bend - size
        unsolved = error.abs() > 4 * torch.finfo(a.dtype).eps * (a + m.abs() * bend + size)
        if not unsolved.any():
            break
        # Solved rows stay as they are, so that no row depends on how long another takes.
        a = torch.where(unsolved, a - error / _slope(bend, slack), a)
    return a.copysign(total)


def compose(z: Tensor, u: Tensor, w: Tensor, b: Tensor, level: float = 0.0) -> tuple[Tensor, Tensor]:
    """K maps, one after the other: u, w of shape (K, d) or (K, batch, d), b of shape (K,) or (K, batch)."""
    u_hat, slack = constrained(u, w, level)
    bends = []
    for u_k, w_k, b_k in zip(u_hat, w, b, strict=True):
        bends.append(torch.tanh((z * w_k).sum(-1) + b_k))
        z = z + u_k * bends[-1][..., None]
    return z, _slope(torch.stack(bends), slack.reshape(len(slack), -1)).log().sum(0)


def invert(y: Tensor, u: Tensor, w: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The inverse of `compose`, last map first."""
    u_hat, slack = constrained(u, w)
    bends = []
    for u_k, slack_k, w_k, b_k in zip(*(values.flip(0) for values in (u_hat, slack, w, b)), strict=True):
        total = (y * w_k).sum(-1) + b_k
        a = solved(total, slack_k)
        # One Newton step from the root has, by the implicit function theorem, the right first derivatives (not second).
        bend = torch.tanh(a)
        slope = _slope(bend, slack_k).detach().clamp_min(torch.finfo(a.dtype).tiny)
        bends.append(torch.tanh(a - (a + (slack_k - 1) * bend - total) / slope))
        y = y - u_k * bends[-1][..., None]
    return y, -_slope(torch.stack(bends), slack.flip(0).reshape(len(slack), -1)).log().sum(0)


class Planar(nn.Module):
    """K maps, as a bijection from data to latent: `forward` inverts them, last first, and `inverse` applies them."""

    def __init__(self, u: Tensor, w: Tensor, b: Tensor):
        """Initial values: u and w of shape (K, d), b of shape (K,)."""
        super().__init__()
        self.u, self.w, self.b = nn.Parameter(u), nn.Parameter(w), nn.Parameter(b)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return invert(x, self.u, self.w, self.b)

    def inverse(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return compose(y, self.u, self.w, self.b)


def posterior(settings: Settings, dimensions: int) -> AmortisedMaps:
    """The flow of a variational posterior: maps of its own an example, the identity where all parameters are 0."""
    return AmortisedMaps(partial(compose, level=UNBENT), [(dimensions,), (dimensions,), ()], settings.flow_length)


def build(settings: Settings, shape: Sequence[int], generator: torch.Generator) -> Flow:
    """Untrained, with K (2 d + 1) parameters: u_hat near 0, |w| 1, b 0. ValueError for no vectors or no map."""
    if len(shape) != 1 or settings.flow_length < 1:
        raise Unsupported(f"planar models vectors by 1 map or more, not {tuple(shape)} by {settings.flow_length}")
    direction, off = torch.randn(2, settings.flow_length, shape[0], generator=generator)
    w = normalize(direction)
    return Flow(Planar(UNBENT * w + 0.1 * off, w, torch.zeros(settings.flow_length)), shape[0])


METHOD = FlowMethod(
    settings=Settings, build=build, loss=negative_log_likelihood, recipe=RMSPROP_WITH_MOMENTUM, posterior=posterior,
    varies=("flow_length",),
)  # fmt: skip
