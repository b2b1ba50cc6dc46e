"""After `git merge`: unites what DVC and the pipeline write, so that both sides' results stay valid.

Lock files keep the stages of both sides; where one stage has two, neither is kept and `dvc repro` takes it from the
run cache or runs it. Pipelines are composed anew. Tables and reports take our side; `dvc repro` makes them again.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.files.errors import CheckFailed, InputError
from benchmarks.files.typed_files import write_text
from benchmarks.plan import composition, profiles
from benchmarks.plan.params import PARAMS
from benchmarks.stages import readme

GENERATED = ("results/tables/", "reports/", "pipelines/")


def unite(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """One lock file's data of two: stages of both sides, but for those on which they disagree."""
    one, other = ours.get("stages") or {}, theirs.get("stages") or {}
    agreed = {
        name: one.get(name, other.get(name))
        for name in {**one, **other}
        if one.get(name, other.get(name)) == other.get(name, one.get(name))
    }
    return {**ours, "stages": agreed}


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"git {words[0]}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}")
    return done.stdout


def _conflicts() -> list[str]:
    return _git("diff", "--name-only", "-z", "--diff-filter=U").split("\0")[:-1]


def _side(number: int, name: str) -> str:
    """A conflicted file as the base (1), ours (2) or theirs (3) has it; empty where that side has no such file."""
    staged = _git("ls-files", "--stage", "--", name).splitlines()
    there = any(line.split("\t")[0].endswith(f" {number}") for line in staged)
    return _git("show", f":{number}:{name}") if there else ""


def _merged(ours: str, base: str, theirs: str) -> str | None:
    """What git makes of three texts; None where they conflict."""
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / side for side in ("ours", "base", "theirs")]
        for file, text in zip(files, (ours, base, theirs), strict=True):
            file.write_text(text)
        words = ["git", "merge-file", "-p", *map(str, files)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _unite_readme(name: str) -> bool:
    """Merges README.md with one and the same results table on all sides; that table is then written anew."""
    texts = [_side(number, name) for number in (2, 1, 3)]
    if not all(texts):
        return False
    ours, base, theirs = map(readme.split, texts)
    merged = _merged(*(before + ours[1] + after for before, _, after in (ours, base, theirs)))
    if merged is not None:
        write_text(Path(name), merged)
    return merged is not None


def run() -> None:
    """Raises InputError outside a git checkout, CheckFailed when files only a person can merge are left."""
    for name in _conflicts():
        path = Path(name)
        if path.name == "dvc.lock":
            ours, theirs = (yaml.safe_load(_side(number, name)) or {} for number in (2, 3))
            write_text(path, yaml.safe_dump(unite(ours, theirs), sort_keys=False))
        elif path == PARAMS or name.startswith(GENERATED):
            if not _side(2, name):  # our side removed it; if it is still made, `dvc repro` makes it again
                _git("rm", "--quiet", "--force", "--", name)
                continue
            _git("checkout", "--ours", "--", name)
        elif name == "README.md":
            if not _unite_readme(name):
                continue
        else:
            continue
        _git("add", "--", name)
        print(f"{name}: united")
    if left := _conflicts():
        raise CheckFailed(f"{left[0]}: only you can resolve this ({len(left)} in all); then again: claimbench merge")
    name = str(yaml.safe_load(PARAMS.read_text())["profile"])
    composition.write_params(composition.compose(profiles.read(name)))
    _git("add", "--", str(PARAMS), "pipelines")
    print("pipelines: composed anew. Next: dvc repro --allow-missing && claimbench readme && git add -A && git commit")
