"""Tasks of the flows. Training does not import this list, so that a new task re-runs nothing else."""

from benchmarks.families.flows.problems import BinaryAutoencoding, Energy, ImageDensity, MixtureDensity

TASKS = (
    ImageDensity(name="digits", dataset="digits", shape=(8, 8), levels=17),
    ImageDensity(name="mnist", dataset="mnist", shape=(28, 28), levels=256),
    ImageDensity(name="fashion_mnist", dataset="fashion_mnist", shape=(28, 28), levels=256),
    ImageDensity(name="tfd", dataset="tfd", shape=(48, 48), levels=256),
    ImageDensity(name="svhn", dataset="svhn", shape=(3, 32, 32), levels=256),
    ImageDensity(name="cifar10", dataset="cifar10", shape=(3, 32, 32), levels=256),
    ImageDensity(name="imagenet32", dataset="imagenet32", shape=(3, 32, 32), levels=256),
    # As many dimensions as POWER, the smallest of the tabular data sets of FFJORD's table 2.
    MixtureDensity(name="mixture", dimensions=6, components=8, seed=0, train=20_000, valid=5_000, test=10_000),
    Energy(name="energy_1", number=1),
    Energy(name="energy_2", number=2),
    Energy(name="energy_3", number=3),
    Energy(name="energy_4", number=4),
    BinaryAutoencoding(name="digits_binary", dataset="digits", shape=(8, 8), threshold=8, latent=8, hidden_units=64),
    # The latent of the paper has 40 dimensions, its networks 400 hidden units (maxout there; paper, from memory).
    BinaryAutoencoding(
        name="mnist_binary", dataset="mnist", shape=(28, 28), threshold=128, latent=40, hidden_units=400
    ),
)
