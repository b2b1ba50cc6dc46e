"""After `git merge`: unites what DVC and the pipeline write, so that both sides' results stay valid.

Lock files keep the entries of both sides; where one stage has two, neither is kept and `dvc repro` takes it from the
run cache or runs it. params.yaml is composed anew. Generated files take our side and are made again by `dvc repro`.
"""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks import profiles
from benchmarks.errors import CheckFailed, InputError
from benchmarks.stages import readme
from benchmarks.typed_files import write_text

GENERATED = ("results/tables/", "reports/")


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
    return _git("diff", "--name-only", "--diff-filter=U").split()


def _side(number: int, name: str) -> str:
    """A conflicted file as the base (1), ours (2) or theirs (3) has it."""
    return _git("show", f":{number}:{name}")


def _unite_readme(name: str) -> bool:
    """Merges README.md with one and the same results table on all sides; that table is then written anew."""
    texts = [_side(number, name) for number in (2, 1, 3)]
    block = readme.split(texts[0])[1]
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch) / side for side in ("ours", "base", "theirs")]
        for file, text in zip(files, texts, strict=True):
            before, _, after = readme.split(text)
            file.write_text(before + block + after)
        merged = subprocess.run(
            ["git", "merge-file", "-p", *map(str, files)], capture_output=True, text=True, check=False
        )
    if merged.returncode == 0:
        write_text(Path(name), merged.stdout)
    return merged.returncode == 0


def run() -> None:
    """Raises InputError outside a git checkout, CheckFailed when files only a person can merge are left."""
    for name in _conflicts():
        path = Path(name)
        if path.name == "dvc.lock":
            ours, theirs = (yaml.safe_load(_side(number, name)) for number in (2, 3))
            write_text(path, yaml.safe_dump(unite(ours, theirs), sort_keys=False))
        elif path == profiles.PARAMS or name.startswith(GENERATED):
            _git("checkout", "--ours", "--", name)
        elif not (name == "README.md" and _unite_readme(name)):
            continue
        _git("add", "--", name)
        print(f"{name}: united")
    if left := _conflicts():
        raise CheckFailed(f"{left[0]}: only you can resolve this ({len(left)} in all); then again: claimbench merge")
    name = str(yaml.safe_load(profiles.PARAMS.read_text())["profile"])
    profiles.write_params(profiles.compose(profiles.read(name)))
    _git("add", "--", str(profiles.PARAMS))
    print("params.yaml: composed anew. Next: dvc repro --allow-missing && claimbench readme && git commit")
