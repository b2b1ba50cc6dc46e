"""What the documentation names exists: links, files of the repository, commands, make targets, stages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from benchmarks import cli

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "mkdocs.yml", ".ci/run", "Makefile")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.yml")),
]
OURS = ("benchmarks", "implementations", "tests", "docs", "bench", "pipelines", "results", "reports")
PATHS = {path.relative_to(ROOT).as_posix() for folder in OURS for path in (ROOT / folder).rglob("*")} | {
    path.name for path in ROOT.iterdir()
}
ENDINGS = {f"/{path}" for path in PATHS}
GENERATED = tuple(line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("/"))
COMMANDS = {
    command.name or command.callback.__name__.replace("_", "-")
    for command in cli.app.registered_commands
    if command.callback
}

every_text = pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())


def code(text: Path) -> Iterator[str]:
    """Spans and blocks of code of a Markdown file; the whole of another file."""
    content = text.read_text()
    if text.suffix != ".md":
        yield content
        return
    blocks = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    yield from blocks.findall(content)
    yield from re.findall(r"`([^`\n]+)`", blocks.sub("", content))


def is_ours(name: str) -> bool:
    """Whether a path, or the end of one (`parts/mdp.py`), is in the repository or made by a command."""
    path = name.rstrip("/").removeprefix("./")
    return path.startswith(GENERATED) or any(f"/{path}" == end or end.endswith(f"/{path}") for end in ENDINGS)


@every_text
def test_links_lead_to_files(text: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text.read_text()) if text.suffix == ".md" else []
    assert [link for link in links if ":" not in link and not (text.parent / link).exists()] == []


@every_text
def test_paths_in_code_exist(text: Path) -> None:
    if text.suffix != ".md":
        pytest.skip("prose only")
    named = {
        path
        for span in code(text)
        for path in re.findall(r"(?<![\w/<>*{}.:-])[\w.-]+(?:/[\w.-]+)*/?(?![\w<>*/{}])", span)
        if re.search(r"\w/$|\.(py|ya?ml|md|json|csv|tex|lock|toml|txt)$", path)
    }
    assert [path for path in sorted(named) if not is_ours(path)] == []


@every_text
def test_commands_and_make_targets_exist(text: Path) -> None:
    spans = list(code(text))
    called = {word for span in spans for word in re.findall(r"(?:claimbench|benchmarks\.cli) ([a-z][a-z-]+)", span)}
    targets = {word for span in spans for word in re.findall(r"(?:^|[\s:])make ([a-z][a-z-]*)", span)}
    makefile = (ROOT / "Makefile").read_text()
    assert sorted(called - COMMANDS) == []
    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


@every_text
def test_stages_exist(text: Path) -> None:
    named = re.findall(r"(pipelines/\w+/dvc\.yaml):(\w+)", text.read_text())
    for pipeline, stage in named:
        assert stage in yaml.safe_load((ROOT / pipeline).read_text())["stages"]
