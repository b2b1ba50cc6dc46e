"""A project whose small profile has run, stage by stage, in the test's process: what refusals start from."""

import shutil
from pathlib import Path

import pytest

from benchmarks.stages import evaluate, features, fetch, judge, profile, readme, report, train
from tests.conftest import torch_settings_kept
from tests.unit.conftest import Copy

PROFILE = """\
profile: smoke
tier: smoke
hardware: {device: cpu, memory_gib: 0.5, threads: 1}
entries:
  container:
    method: container
    task: container
    seeds: [0]
    samples: 3
  nice_digits:
    method: nice
    task: digits
    seeds: [0]
    settings: {hidden_layers: 1, hidden_units: 8, batch: 100}
    steps: 20
    validate_every: 10
    samples: 4
"""


def compose(text: str = PROFILE) -> None:
    """Writes profile smoke of the folder that we are in, and composes it."""
    Path("benchmarks/profiles/smoke.yaml").write_text(text)
    profile.run("smoke")


@pytest.fixture(scope="session")
def made(copied_code: Copy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the stages wrote, apart from the code."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch, torch_settings_kept():
        patch.chdir(copied_code.root)
        compose()
        fetch.run("digits")
        features.run("digits")
        train.run("smoke", "nice_digits", 0, off_profile=False)
        for entry in ("container", "nice_digits"):
            evaluate.run("smoke", entry, off_profile=False)
        judge.run()
        report.run()
        Path("README.md").write_text(f"# a project\n\n{readme.BEGIN}\n{readme.END}\n")
        readme.run()
    for path in copied_code.added():
        place = folder / path.relative_to(copied_code.root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, place)
    copied_code.restore()
    return folder


@pytest.fixture
def project(code: Path, made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The code and what its stages wrote, to spoil; the working directory of the test."""
    shutil.copytree(made, code, dirs_exist_ok=True)
    monkeypatch.chdir(code)
    return code
