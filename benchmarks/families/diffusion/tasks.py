"""Tasks of diffusion models. Training does not import this list, so that a new task re-runs nothing else."""

from dataclasses import replace

from benchmarks.families.diffusion.problems import ImageGeneration, MixtureGeneration, Task

# 35 evaluations are EDM's 18 Heun steps (arXiv 2206.00364, table 2); the others are about half of those after them.
FEW = (5, 9, 17, 35)
DENSE = (5, 7, 9, 13, 17, 25, 35, 51)  # the same curve with points between, and one after
TABLE = (10, 20, 50, 100)  # DDIM, arXiv 2010.02502, table 1, but for its last column
ALL = (1000,)  # that column: every level of DDPM
STEPS = (1, 2, 5, 10, 25, 50, 200)  # rectified flow, arXiv 2209.03003, figure 5: on both sides of about 80

DIGITS = ImageGeneration("digits", "digits", (8, 8), 17, "digits", FEW, likelihood_images=50)
MNIST = ImageGeneration("mnist", "mnist", (28, 28), 256, "mnist", FEW, likelihood_images=50)
CIFAR10 = ImageGeneration(
    name="cifar10",
    dataset="cifar10",
    shape=(3, 32, 32),
    levels=256,
    extractor="inception_v3_2015",
    evaluations=ALL,
    reference=("train", "valid"),  # the papers' training set; a fifth of it is our validation split
    likelihood_images=10_000,
)

RING = MixtureGeneration(
    name="ring",
    arrangement="ring",
    components=8,
    deviation=0.07,
    seed=0,
    train=20_000,
    valid=5_000,
    test=2_000,
    evaluations=FEW,
)

TASKS: tuple[Task, ...] = (
    DIGITS,
    replace(DIGITS, name="digits_dense", evaluations=DENSE),
    replace(DIGITS, name="digits_density", dequantised=True, likelihood_images=300),
    replace(DIGITS, name="digits_table", evaluations=(*TABLE, *ALL)),
    replace(DIGITS, name="digits_steps", evaluations=STEPS),
    MNIST,
    replace(MNIST, name="fashion_mnist", dataset="fashion_mnist", extractor="fashion_mnist"),
    CIFAR10,
    replace(CIFAR10, name="cifar10_table", evaluations=TABLE),
    replace(CIFAR10, name="cifar10_few", evaluations=FEW),
    replace(CIFAR10, name="cifar10_steps", evaluations=STEPS),
    replace(CIFAR10, name="cifar10_density", evaluations=FEW, dequantised=True),
    RING,
    replace(RING, name="grid", arrangement="grid", components=9, deviation=0.1),
)
