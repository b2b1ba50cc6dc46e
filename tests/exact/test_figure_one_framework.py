"""The figure of docs/one_framework.md shows what it says, and is the one that its generator writes."""

import re
import xml.etree.ElementTree as ElementTree

import torch

from implementations.diffusion.parts.grids import karras
from tests.exact.figure_one_framework import FILE, SIZES, svg, traces


def test_the_three_rules_trace_the_same_points():
    sigma = karras(14, 0.02, 3.0)[:, 1]
    found = [points / SIZES[name](sigma)[:, None] for name, points in traces(sigma).items()]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0.0, atol=1e-12)  # float64, 14 steps on values of about 1
    assert found[0][-1].std() > 0.5  # the noises end at several points, so that there is something to see


def test_the_committed_figure_is_the_generators():
    """To a tenth of a pixel in each number, which is what it is written to: another processor may round otherwise."""
    committed = FILE.read_text(encoding="utf-8")
    again = svg()
    numbers = re.compile(r"-?\d+\.?\d*")
    assert numbers.sub("#", committed) == numbers.sub("#", again)
    for one, other in zip(numbers.findall(committed), numbers.findall(again), strict=True):
        assert abs(float(one) - float(other)) <= 0.11
    assert ElementTree.fromstring(committed).tag.endswith("svg")
