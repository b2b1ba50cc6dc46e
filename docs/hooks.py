"""Adds pages to the site: one a repository file that a page of docs/ links to, and the API, one page a package.

MkDocs calls `on_files` once with all pages and `on_page_markdown` once a page. A link such as
`../implementations/flows/nice.py` leads to a page with that file's text. A link to what is no file, such as a folder,
becomes plain text. The API's pages name modules, whose docstrings mkdocstrings reads without importing them.
"""

import re
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((\.\.?/[^)#\s]+)(#[^)\s]*)?\)")
PACKAGES = ("implementations", "benchmarks")
LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for each file outside docs/ that a page links to, and the pages of the API."""
    linked = set()
    for file in files.documentation_pages():
        linked |= {_outside(file.src_uri, target) for _, target, _ in LINK.findall(file.content_string)}
    for path in sorted(linked - {None}):
        files.append(File.generated(config, _uri(path), content=_text(path)))
    for uri, content in _api().items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Points links that leave docs/ at the pages made for them."""

    def replaced(found: re.Match[str]) -> str:
        text, target, _ = found.groups()
        if normpath(f"docs/{page.file.src_uri}/../{target}").startswith("docs/"):
            return found[0]
        path = _outside(page.file.src_uri, target)
        return f"[{text}]({relpath(_uri(path), page.file.src_uri + '/..')})" if path else text

    return LINK.sub(replaced, markdown)


def _api() -> dict[str, str]:
    """A page for each folder with Python files in it, and one that lists them."""
    modules: dict[str, list[str]] = {}
    for path in sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        if path.name not in ("__init__.py", "__main__.py"):
            folder = path.parent.relative_to(ROOT).as_posix().replace("/", ".")
            modules.setdefault(folder, []).append(f"{folder}.{path.stem}")
    pages = {
        f"api/{folder}.md": f"# `{folder}`\n\n" + "".join(f"## `{name}`\n\n::: {name}\n\n" for name in names)
        for folder, names in modules.items()
    }
    listed = "".join(f"- [`{folder}`]({folder}.md)\n" for folder in modules)
    return {"api/index.md": f"# API\n\nFrom the docstrings of each module.\n\n{listed}", **pages}


def _outside(page: str, target: str) -> str | None:
    """The file outside docs/, relative to the root, that a link of a page in docs/ leads to; None if there is none."""
    path = normpath(f"docs/{page}/../{target}")
    return path if not path.startswith(("docs/", "..")) and (ROOT / path).is_file() else None


def _uri(path: str) -> str:
    return f"source/{path.removesuffix('.md')}.md"


def _text(path: str) -> str:
    """Markdown as it stands, with its links as plain text; anything else as one block of code."""
    text = (ROOT / path).read_text()
    if path.endswith(".md"):
        return re.sub(r"!?\[((?:\\.|[^\]\\])*)\]\((?!https?:)[^)]*\)", r"\1", text)
    fence = "```"
    while fence in text:
        fence += "`"
    language = LANGUAGES.get(Path(path).suffix, "text")
    return f"---\nsearch: {{exclude: true}}\n---\n# `{path}`\n\n{fence}{language}\n{text}\n{fence}\n"
