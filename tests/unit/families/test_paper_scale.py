"""Entries of the paper-tier profiles, built at full size on the meta device: real code, checked by its size."""

import pytest
import torch

from benchmarks.families.flows.learning import untrained
from benchmarks.plan import profiles
from benchmarks.plan.methods import all_methods, tasks
from benchmarks.plan.profiles import Entry

PAPER = ("h100_1",)
FLOWS = {
    f"{name} {entry}": told
    for name in PAPER
    for entry, told in profiles.read(name).entries.items()
    if all_methods()[told.method].family == "flows"
}
PARAMETERS = {  # the arithmetic of each stands in the exact tests of its method
    "cnf_cifar10": 833_812,
    "cnf_mnist": 425_596,
    "glow_cifar10": 44_603_604,
    "glow_imagenet32": 66_861_588,
    "nice_cifar10": 72_617_216,
    "nice_mnist": 19_158_352,
    "nice_svhn": 72_617_216,
    "nice_tfd": 346_166_912,
    "planar_mnist_k10": 1_001_674,
    "planar_mnist_k20": 1_326_484,
    "planar_mnist_k40": 1_976_104,
    "planar_mnist_k80": 3_275_344,
    "realnvp_cifar10": 19_564_185,
    "realnvp_imagenet32": 45_960_231,
}


@pytest.mark.parametrize(("name", "entry"), FLOWS.items(), ids=FLOWS)
def test_an_entry_can_be_built_at_full_size(name: str, entry: Entry) -> None:
    method = all_methods()[entry.method]
    settings = profiles.typed_settings(method, entry.settings, name)
    task = tasks("flows")[entry.task]
    with torch.device("meta"):
        model = untrained(method.declaration(), settings, task, 0)
    assert all(parameter.is_meta for parameter in model.parameters())
    found = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert found == PARAMETERS[name.split()[1]]
