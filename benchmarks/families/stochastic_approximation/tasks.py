"""Tasks of stochastic approximation: the examples of Zhao's chapter 6, a line and a regression with exact answers."""

from benchmarks.families.stochastic_approximation.problems import Minimum, Root
from implementations.stochastic_approximation.parts.problems import cubic, linear, regression, square, tanh

CUBIC = "g(w) = w^3 - 5, noise N(0, 1), from w = 0"

TASKS = (
    Root("cubic_root", CUBIC, (50,), cubic()),
    Root("cubic_root_long", CUBIC, (100, 1_000, 10_000), cubic()),
    Root("tanh_root", "g(w) = tanh(w - 1), no noise, from w = 3", (5, 15, 50), tanh()),
    Root("linear_root", "g(w) = w, noise N(0, 2), from w = 1", (100, 1_000, 10_000), linear(1.0, 0.0, 1.0, 2**0.5)),
    Minimum("mean", "100 points uniform on the 20 x 20 square, from (-20, 20)", (1, 5, 30), square),
    Minimum("regression", "100 points, y = 1 + 2 x + N(0, 1/4), from (0, 0)", (300, 1_000, 3_000), regression),
)
