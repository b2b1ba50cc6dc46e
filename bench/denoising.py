"""A training step and 50 steps of sampling against three libraries, each side with the same network.

- denoising-diffusion-pytorch: what its trainer does in a step, with its loss, its Adam and its average of weights, and
  what ours does, on a small U-Net and 16 images of 3 x 32 x 32. Pictures, files and its progress bar are left out.
- diffusers: its DDIM scheduler, called as its pipelines do, and our DDIM without noise on the same levels.
- flow_matching: its ODE solver hands Euler's rule to torchdiffeq; so does the peer here, on a velocity.

Sampling is timed with a small U-Net, where the network is nearly all, and with a network that gives its input back,
where nothing is but the sampler. Memory is that of the tensors that such a call holds at one time.
"""

import copy
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bench.timing import Comparison, compare
from implementations.common.averaging import ExponentialMovingAverage
from implementations.diffusion import ddim, ddpm
from implementations.diffusion.parts import samplers
from implementations.diffusion.parts.backbones import backbone
from implementations.diffusion.parts.grids import uniform_time
from implementations.diffusion.parts.parameterisations import Denoiser, noise, time_label, velocity
from implementations.diffusion.parts.paths import ddpm as table
from implementations.diffusion.parts.paths import linear

SHAPE, IMAGES, WIDTH = (3, 32, 32), 16, 32
SAMPLED, STEPS = (1, 16, 16), 50
MANY, LARGE = 256, (3, 64, 64)  # states of 12 MiB each, where memory is measured
Sample = Callable[[Tensor], object]


def training_step() -> list[Comparison]:
    """Loss, gradients, clipping, Adam and the average of weights."""
    from denoising_diffusion_pytorch import GaussianDiffusion
    from ema_pytorch import EMA

    settings = ddpm.Settings(network="unet_small", width=WIDTH, dropout=0.0)
    generator = torch.Generator().manual_seed(0)
    model = ddpm.build(settings, SHAPE, generator).train()
    images = 2 * torch.rand(IMAGES, *SHAPE, generator=generator) - 1
    optimiser = ddpm.METHOD.recipe.optimiser(model, settings)
    average = ExponentialMovingAverage(model, settings.ema_half_life or 1)

    def ours() -> None:
        ddpm.loss(model, settings, images, generator).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        average.update(model, IMAGES)

    told = {"image_size": SHAPE[1:], "objective": "pred_noise", "beta_schedule": "linear", "auto_normalize": False}
    theirs = GaussianDiffusion(_Theirs(copy.deepcopy(model.network.network)), **told).train()
    # As its Trainer has them by default.
    adam = torch.optim.Adam(theirs.parameters(), lr=1e-4, betas=(0.9, 0.99))
    ema = EMA(theirs, beta=0.995, update_every=10)

    def peer() -> None:
        loss = theirs(images)
        loss.item()
        loss.backward()
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        ema.update()

    return [compare("DDPM, training step of a U-Net, denoising-diffusion-pytorch", ours, peer)]


class _Theirs(nn.Module):
    """Our network as theirs are called."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.channels = self.out_dim = SHAPE[0]
        self.self_condition = False

    def forward(self, x: Tensor, t: Tensor, x_self_cond: Tensor | None = None) -> Tensor:
        found: Tensor = self.network(x, t.to(x.dtype))
        return found


def sampling_against_diffusers() -> list[Comparison]:
    return _sampling("DDIM, 50 steps", "diffusers", _ddim, _their_ddim)


def sampling_against_flow_matching() -> list[Comparison]:
    return _sampling("flow matching, 50 steps of Euler", "torchdiffeq as flow_matching calls it", _flow, _their_flow)


def _sampling(
    what: str, peer: str, ours: Callable[[nn.Module], Sample], theirs: Callable[[nn.Module], Sample]
) -> list[Comparison]:
    generator = torch.Generator().manual_seed(0)
    network = backbone("unet_small", SAMPLED, WIDTH, 0.0, generator).eval()
    start = torch.randn(IMAGES, *SAMPLED, generator=generator)
    many = torch.randn(64, *SHAPE, generator=generator)
    with torch.no_grad():
        found = [
            compare(f"{what}, U-Net, {peer}", *_calls(ours(network), theirs(network), start)),
            compare(f"{what}, no network, {peer}", *_calls(ours(Same()), theirs(Same()), many)),
        ]
    memory = f"{what}, no network, {peer}: peak memory"
    return [*found, Comparison(memory, added_memory(ours(Same())), added_memory(theirs(Same())), "MiB")]


def _calls(ours: Sample, theirs: Sample, x: Tensor) -> tuple[Callable[[], object], Callable[[], object]]:
    return lambda: ours(x), lambda: theirs(x)


class Same(nn.Module):
    """A network that does nothing."""

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        return x


def _ddim(network: nn.Module) -> Sample:
    settings = ddim.Settings()
    path = table(ddpm.betas(ddpm.Settings()))
    model, grid = Denoiser(network, noise(time_label(path, 1000.0, -1.0))), ddim.uniform(settings, STEPS)
    return lambda x: samplers.first_order(model, x, grid)


def _their_ddim(network: nn.Module) -> Sample:
    from diffusers import DDIMScheduler

    told: dict[str, Any] = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "clip_sample": False}
    scheduler: Any = DDIMScheduler(**told)
    scheduler.set_timesteps(STEPS)

    def sample(x: Tensor) -> Tensor:
        for t in scheduler.timesteps:
            x = scheduler.step(network(x, t.expand(len(x)).to(x.dtype)), t, x, eta=0.0).prev_sample
        return x

    return sample


def _flow(network: nn.Module) -> Sample:
    model, grid = Denoiser(network, velocity()), uniform_time(linear(), STEPS)
    return lambda x: samplers.first_order(model, x, grid)


def _their_flow(network: nn.Module) -> Sample:
    from torchdiffeq import odeint

    def field(t: Tensor, x: Tensor) -> Tensor:
        found: Tensor = network(x, t.expand(len(x)))
        return found

    def sample(x: Tensor) -> Tensor:
        found: Tensor = odeint(field, x, torch.tensor([1.0, 0.0]), method="euler", options={"step_size": 1 / STEPS})
        return found[-1]

    return sample


class Live(TorchDispatchMode):
    """The most bytes that tensors made under it held at one time."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[int, tuple[int, int]] = {}  # of a storage: its bytes, and the tensors that have it
        self.now = self.most = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        for value in tree_leaves(found):
            if isinstance(value, Tensor) and all(value is not given for given in tree_leaves((args, kwargs))):
                self._take(value)
        return found

    def _take(self, value: Tensor) -> None:
        storage = value.untyped_storage()
        key, size = storage.data_ptr(), storage.nbytes()
        count = self.seen.get(key, (size, 0))[1]
        self.seen[key] = (size, count + 1)
        self.now += 0 if count else size
        self.most = max(self.most, self.now)
        weakref.finalize(value, self._let_go, key)

    def _let_go(self, key: int) -> None:
        size, count = self.seen[key]
        self.seen[key] = (size, count - 1)
        if count == 1:
            del self.seen[key]
            self.now -= size


def added_memory(sample: Sample) -> float:
    """MiB of the tensors that a call of the sampler holds at one time beside its start, which has 12 MiB."""
    x = torch.randn(MANY, *LARGE)
    with torch.no_grad(), Live() as live:
        sample(x)
    return live.most / 2**20
