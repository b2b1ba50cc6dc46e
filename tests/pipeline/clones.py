"""A checkout of the working tree in a temporary folder, in which the real dvc, git and stages run."""

import csv
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-m", "benchmarks.cli"]
UP_TO_DATE = "Data and pipelines are up to date."
FLOWS, PUZZLES = "benchmarks/families/flows/dvc.yaml", "benchmarks/families/puzzles/dvc.yaml"

PROFILE = """\
profile: smoke
tier: smoke
hardware: {device: cpu, memory_gib: 0.5, threads: 1}
entries:
  container:
    method: container
    task: container
    tier: paper
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

ANOTHER_SEED = ("seeds: [0]\n    settings", "seeds: [0, 1]\n    settings")  # of nice_digits
SMALL = {"puzzles": ("samples: 50", "samples: 2"), "flows": ("steps: 500", "steps: 10")}
NICE_LOSS = "return -model.log_prob(x).mean()"
CONTAINER_EDIT = (  # another tree, the same answers
    "best = max(best, min(low, high) * (right - left))",
    "best = max(min(low, high) * (right - left), best)",
)

README = """\
# claimbench

<!-- results: written by 'claimbench readme' -->
<!-- end of results -->
"""


def ran(output: str) -> set[str]:
    """Names of the stages that dvc ran, without the file they are in."""
    return {name.rpartition(":")[2] for name in re.findall(r"Running stage '([^']+)'", output)}


def environment(scratch: Path) -> dict[str, str]:
    """That of a user without settings of their own: no analytics, no site cache, no git configuration."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", "GIT_", "CLAIMBENCH_", "PYTHON"))
    }
    name, mail = "Some One", "some@one.example"
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(scratch / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(scratch / "global"),
        "DVC_SYSTEM_CONFIG_DIR": str(scratch / "system"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": mail,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": mail,
    }


class Clone:
    """A folder with the project, and the commands that run in it."""

    def __init__(self, path: Path, env: dict[str, str]):
        self.path, self.env = path, env

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def run(self, *words: str, code: int | None = 0, **more: str) -> str:
        """Standard output and error of a command together, after checking its exit code (None: any)."""
        done = subprocess.run(
            words,
            cwd=self.path,
            env={**self.env, **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert code is None or done.returncode == code, f"{' '.join(words)} gave {done.returncode}:\n{done.stdout}"
        return done.stdout

    def bench(self, *words: str, code: int | None = 0, **more: str) -> str:
        """A stage, as dvc.yaml runs it."""
        return self.run(*PYTHON, *words, code=code, **more)

    def dvc(self, *words: str, code: int | None = 0, **more: str) -> str:
        return self.run("dvc", *words, code=code, **more)

    def repro(self, *words: str, code: int | None = 0) -> set[str]:
        """The stages that `dvc repro` ran."""
        return ran(self.dvc("repro", *words, code=code))

    def git(self, *words: str, code: int | None = 0) -> str:
        return self.run("git", *words, code=code)

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)

    def edit(self, name: str, old: str, new: str) -> None:
        """Replaces a text that must be there."""
        path = self.path / name
        text = path.read_text()
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new, 1))
        if path.suffix == ".py":  # an edit within one second of the last leaves Python's cached bytecode standing
            Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)

    def compose(self, text: str, name: str = "smoke") -> None:
        """Writes a profile and composes it."""
        (self.path / f"benchmarks/profiles/{name}.yaml").write_text(text)
        self.bench("profile", name)

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())

    def table(self, name: str, profile: str = "smoke") -> list[dict[str, str]]:
        with open(self.path / f"results/tables/{profile}/{name}.csv", newline="") as file:
            return list(csv.DictReader(file))

    def entries(self, profile: str = "smoke") -> set[str]:
        """Entries with a row in scores.csv."""
        return {row["entry"] for row in self.table("scores", profile)}

    def hashes(self, *folders: str) -> dict[str, str]:
        """SHA-256 of every file in some folders."""
        files = [path for folder in folders for path in sorted((self.path / folder).rglob("*")) if path.is_file()]
        return {str(path.relative_to(self.path)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def copy(self, path: Path) -> "Clone":
        """All of it, cache and ignored folders included."""
        shutil.copytree(self.path, path, symlinks=True)
        return Clone(path, self.env)

    def bare(self, path: Path) -> "Clone":
        """What git holds, and nothing else."""
        self.run("git", "clone", "-q", str(self.path), str(path))
        return Clone(path, self.env)

    def forget(self, names: Iterable[str] = (".dvc/cache", ".dvc/tmp", ".checkpoints", "sources", "data", "features")):
        """Removes folders that are not in git, and with them what the pipeline could reuse."""
        for name in (*names, "runs", "evals"):
            shutil.rmtree(self.path / name, ignore_errors=True)


def working_tree(path: Path, env: dict[str, str]) -> Clone:
    """The working tree with a tiny profile `smoke` composed and short puzzles, without results, committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        made = name.startswith(("results/", "reports/")) or name.endswith("dvc.lock")
        if not made and (ROOT / name).is_file():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, path / name)
    clone = Clone(path, env)
    (path / "README.md").write_text(README)
    (path / "docs").mkdir(exist_ok=True)
    # Brute force on the puzzle's longest array is most of a smoke run's time, and nothing here asks for its length.
    clone.edit("benchmarks/families/puzzles/tasks.py", "longest_once=100_000", "longest_once=2_000")
    clone.compose(PROFILE)
    clone.git("init", "-q", "-b", "main")
    clone.commit("start")
    return clone


def new_method(clone: Clone, name: str, family: str) -> str:
    """Adds a method as a user would, with a smaller budget in `smoke`; gives its entry."""
    clone.bench("new-method", name, "--family", family)
    profile = "benchmarks/profiles/smoke.yaml"
    clone.edit(profile, "seeds: [0, 1, 2]", "seeds: [0]")
    clone.edit(profile, *SMALL[family])
    if family == "flows":
        clone.edit(profile, "validate_every: 100", "validate_every: 5")
    clone.bench("profile", "smoke")
    return name if family == "puzzles" else f"{name}_digits"
