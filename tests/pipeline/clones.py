"""A small checkout in a temporary folder, in which the real dvc, git and stages run."""

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON = [sys.executable, "-m", "benchmarks.cli"]
UP_TO_DATE = "Data and pipelines are up to date."
COPIED = (
    "benchmarks",
    "implementations",
    ".dvc/config",
    ".dvcignore",
    ".gitignore",
    "dvc.yaml",
    "numerics.txt",
    "requirements.lock",
)

CONTAINER = """\
  container:
    method: container
    task: container
    tier: paper
    seeds: [0]
    samples: 3
"""
# A puzzle, what trains (points of the plane, no data set), and what only evaluates in another family.
PROFILE = f"""\
profile: smoke
tier: smoke
hardware: {{device: cpu, memory_gib: 0.5, threads: 1}}
entries:
{CONTAINER}\
  radial_mixture:
    method: radial
    task: mixture
    seeds: [0]
    settings: {{flow_length: 2, batch: 50, learning_rate: 1.0e-3}}
    steps: 40
    validate_every: 20
    samples: 4
  sgd_mean:
    method: sgd
    task: mean
    seeds: [0]
    settings: {{batch: 5}}
    samples: 5
"""
OTHER = (
    PROFILE[: PROFILE.index("  radial")].replace("profile: smoke", "profile: cpu").replace("samples: 3", "samples: 2")
)

README = """\
# claimbench

<!-- results: written by 'claimbench readme' -->
<!-- end of results -->
"""


def ran(output: str) -> set[str]:
    """Names of the stages that dvc ran, without the file they are in and the profile."""
    return {name.rpartition(":")[2].replace("_smoke", "") for name in re.findall(r"Running stage '([^']+)'", output)}


def environment(scratch: Path) -> dict[str, str]:
    """That of a user without settings of their own: no analytics, no site cache, no git configuration."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DVC_", "GIT_", "CLAIMBENCH_", "PYTHON"))
    }
    name, mail = "Some One", "some@one.example"
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited.get('PATH', '')}",
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
        """A command, as dvc.yaml runs it."""
        return self.run(*PYTHON, *words, code=code, **more)

    def dvc(self, *words: str, code: int | None = 0, **more: str) -> str:
        return self.run("dvc", *words, code=code, **more)

    def repro(self, *words: str, code: int | None = 0, **more: str) -> set[str]:
        """The stages that `dvc repro` ran."""
        return ran(self.dvc("repro", *words, code=code, **more))

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

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text())

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


def small_checkout(path: Path, env: dict[str, str]) -> Clone:
    """The code, profile `smoke` of three tiny entries (composed), profile `cpu` of one, and one paper's claims."""
    for name in COPIED:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, path / name)
    for file in [*(path / "benchmarks/claims").iterdir(), *(path / "benchmarks/profiles").iterdir()]:
        if file.name != "container.yaml":
            file.unlink()
    claims = path / "benchmarks/claims/container.yaml"
    claims.write_text(re.sub(r"^entries:\n( .*\n)*", "", claims.read_text(), flags=re.MULTILINE))
    clone = Clone(path, env)
    (path / "README.md").write_text(README)
    for name, text in (("smoke", PROFILE), ("cpu", OTHER)):
        (path / f"benchmarks/profiles/{name}.yaml").write_text(text)
    (path / "docs").mkdir()
    (path / "tests/exact").mkdir(parents=True)
    shutil.copy2(Path(__file__).with_name("signalled.py"), path / "signalled.py")
    # Brute force on the puzzle's longest array takes seconds, and nothing here asks for its length.
    clone.edit("benchmarks/families/puzzles/tasks.py", "longest_once=100_000", "longest_once=2_000")
    clone.bench("profile", "smoke")
    clone.git("init", "-q", "-b", "main")
    clone.commit("start")
    return clone
