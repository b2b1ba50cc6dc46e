"""The figure of docs/one_framework.md: `python -m tests.exact.figure_one_framework` writes it, a test compares it."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from implementations.common.denoisers import MixtureDenoiser
from implementations.common.oracles import GaussianMixture
from implementations.diffusion.parts.grids import karras

FILE = Path(__file__).parents[2] / "docs/figures/one_framework.svg"
SIZES: dict[str, Callable[[Tensor], Tensor]] = {
    "DDIM: a² + n² = 1": lambda sigma: (1 + sigma.square()).rsqrt(),
    "EDM: a = 1": torch.ones_like,
    "flow matching: a + n = 1": lambda sigma: 1 / (1 + sigma),
}
NOISES = (-1.6, -0.9, -0.25, 0.35, 1.0, 1.7)
COLOURS = ("#1b6ca8", "#c1440e", "#2e7d32")
WIDTH, HEIGHT, LEFT, TOP = 240, 190, 34, 30


def denoiser() -> MixtureDenoiser:
    """Of three points on the line, a little spread."""
    means = torch.tensor([[-1.0], [0.1], [0.9]], dtype=torch.float64)
    weights = torch.tensor([0.4, 0.25, 0.35], dtype=torch.float64)
    return MixtureDenoiser(GaussianMixture(weights, means, torch.full((3, 1, 1), 0.08, dtype=torch.float64)))


def traces(sigma: Tensor) -> dict[str, Tensor]:
    """Points (levels, noises) of each paper's rule in its own variables, all from the same noises."""
    denoise, noise = denoiser(), torch.tensor(NOISES, dtype=torch.float64)[:, None]

    def ddim(x: Tensor, now: Tensor, after: Tensor) -> Tensor:
        abar, abar_end = 1 / (1 + now.square()), 1 / (1 + after.square())
        d = denoise(x, abar.sqrt(), (1 - abar).sqrt())
        return abar_end.sqrt() * d + (1 - abar_end).sqrt() * (x - abar.sqrt() * d) / (1 - abar).sqrt()

    def edm(x: Tensor, now: Tensor, after: Tensor) -> Tensor:
        return x + (after - now) * (x - denoise(x, torch.ones_like(now), now)) / now

    def flow(x: Tensor, now: Tensor, after: Tensor) -> Tensor:
        t, t_end = now / (1 + now), after / (1 + after)
        return x + (t_end - t) * (x - denoise(x, 1 - t, t)) / t

    found = {}
    for (name, size), rule in zip(SIZES.items(), (ddim, edm, flow), strict=True):
        points = [size(sigma[0]) * sigma[0] * noise]
        for now, after in pairwise(sigma):
            points.append(rule(points[-1], now, after))
        found[name] = torch.stack(points)[:, :, 0]
    return found


def svg() -> str:
    """Each rule in its own variables as lines, and on them the points of the two others, rescaled."""
    sigma = karras(14, 0.02, 3.0)[:, 1]
    found = traces(sigma)
    width, height = 3 * (WIDTH + LEFT) + 10, TOP + HEIGHT + 52
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, (name, size) in enumerate(SIZES.items()):
        left, own = LEFT + number * (WIDTH + LEFT), found[name]
        reach = float(own.abs().max()) * 1.05

        def place(k: int, x: float, left: int = left, reach: float = reach) -> tuple[str, str]:
            return f"{left + k * WIDTH / (len(sigma) - 1):.1f}", f"{TOP + HEIGHT * (1 - x / reach) / 2:.1f}"

        parts.append(f'<text x="{left + WIDTH / 2:.0f}" y="18" text-anchor="middle">{name}</text>')
        parts.append(f'<rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
        parts += [
            f'<text x="{left - 4}" y="{TOP + HEIGHT * (1 - x / reach) / 2 + 4:.1f}" text-anchor="end">{x:g}</text>'
            for x in (-1, 0, 1)
        ]
        for path in range(len(NOISES)):
            line = " ".join(",".join(place(k, float(x))) for k, x in enumerate(own[:, path]))
            parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[number]}" stroke-width="1.2"/>')
            for other, (theirs, their_size) in enumerate(SIZES.items()):
                if other == number:
                    continue
                for k, x in enumerate(found[theirs][:, path] * size(sigma) / their_size(sigma)):
                    at_x, at_y = place(k, float(x))
                    radius = 3.2 if other == (number + 1) % 3 else 1.4
                    fill = "none" if radius > 2 else COLOURS[other]
                    stroke = f' stroke="{COLOURS[other]}"' if radius > 2 else ""
                    parts.append(f'<circle cx="{at_x}" cy="{at_y}" r="{radius}" fill="{fill}"{stroke}/>')
        for text, k in (("noise", 0), ("data", len(sigma) - 1)):
            anchor = "start" if k == 0 else "end"
            parts.append(f'<text x="{place(k, 0)[0]}" y="{TOP + HEIGHT + 16}" text-anchor="{anchor}">{text}</text>')
    for number, name in enumerate(("DDIM", "EDM", "flow matching")):
        x = LEFT + 150 * number
        parts.append(f'<rect x="{x}" y="{height - 16}" width="10" height="10" fill="{COLOURS[number]}"/>')
        parts.append(f'<text x="{x + 16}" y="{height - 7}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(svg(), encoding="utf-8")
