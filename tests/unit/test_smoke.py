"""The smoke run: in a folder of its own, in one process, whatever an entry does."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.stages import smoke

ROOT = Path(__file__).parents[2]


def test_the_puzzles_chain_reaches_a_verdict_without_torch():
    script = (
        "import sys\n"
        "from benchmarks.families.puzzles.tasks import TASKS\n"
        "from benchmarks.stages import smoke\n"
        "object.__setattr__(TASKS[0], 'longest_once', 2_000)  # brute force on more takes seconds\n"
        "smoke.run('puzzles', None)\n"
        "print(sorted({'torch', 'scipy', 'sklearn', 'dvc'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "1/1 container: done" in lines[0]
    assert ["container_example_1", "49", "reproduced"] in [line.split() for line in lines]
    assert "torch" not in lines[-1]


def test_a_failed_entry_stops_no_other_but_those_that_need_it(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(ROOT)
    before = (ROOT / "params.yaml").read_bytes()
    monkeypatch.setattr(smoke, "_prepare", lambda params, entries: None)
    monkeypatch.setattr(smoke, "_entry", lambda params, entry: "no loss today" if entry == "ddpm_digits" else "")
    with pytest.raises(CheckFailed) as failed:
        smoke.run("diffusion", tmp_path / "kept")
    assert str(failed.value) == "ddpm_digits: no loss today\nddim_digits: needs ddpm_digits, which failed"
    assert "flow_matching_ring: done" in capsys.readouterr().out
    assert Path.cwd() == ROOT
    assert (ROOT / "params.yaml").read_bytes() == before
    assert (tmp_path / "kept/pipelines/params/smoke/ddim_digits.json").is_file()


def test_what_cannot_be_run_is_refused(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    with pytest.raises(InputError, match="family nowhere: there are diffusion, flows"):
        smoke.run("nowhere", None)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        smoke.run(None, tmp_path)
