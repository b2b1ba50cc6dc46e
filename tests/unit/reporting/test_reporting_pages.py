"""Whole reports: structure, escaping, marks, sameness of bytes, nothing from outside."""

import re
import shutil
import xml.etree.ElementTree
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.errors import InputError
from benchmarks.reporting import figures, markdown_pages, pages, read, verdicts

VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What a browser would see: ids, links, tags, texts of table cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.links += [value for name, value in attrs if name in ("href", "src", "xlink:href") and value]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip("\n")

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == first)


@pytest.fixture(scope="module")
def reports(results_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("out") / "reports"
    written = pages.build(results_root, destination)
    assert set(written) == {path for path in destination.rglob("*") if path.is_file()}
    return destination


@pytest.fixture(scope="module")
def index(reports: Path) -> Page:
    return Page((reports / "cpu/index.html").read_text())


def markdown_of(reports: Path, profile: str) -> str:
    """All pages of Markdown of a profile."""
    return "".join(path.read_text() for path in sorted((reports / profile).glob("*.md")))


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_input_same_bytes(results_root: Path, reports: Path, tmp_path: Path) -> None:
    pages.build(results_root, tmp_path / "again")
    assert everything(tmp_path / "again") == everything(reports)
    assert sum(name.endswith((".png", ".svg")) for name in everything(reports)) == 40


def test_page_needs_nothing_from_outside(reports: Path, index: Page) -> None:
    text = (reports / "cpu/index.html").read_text()
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]+"', "", text))
    assert not [link for link in index.links if link.startswith("//") or ":" in link.partition("base64")[0][5:]]
    assert not re.search(r"@import|url\((?!#)", text)
    assert len(text) < 200_000


def test_page_is_sound(index: Page, reports: Path) -> None:
    assert index.open == []
    assert len(index.ids) == len(set(index.ids))
    inside = [link[1:] for link in index.links if link.startswith("#")]
    assert inside
    assert set(inside) <= set(index.ids)
    files = [link for link in index.links if link.startswith("figures/")]
    assert len(files) == 20
    assert all((reports / "cpu" / link).exists() for link in files)
    assert all(given.get("scope") in ("col", "row") for tag, given in index.tags if tag == "th")
    drawings = [given for tag, given in index.tags if tag == "svg"]
    assert len(drawings) == 10
    assert all(given["role"] == "img" and given["aria-label"] for given in drawings)


def test_hostile_names_do_nothing(index: Page, reports: Path) -> None:
    assert [tag for tag, _ in index.tags].count("script") == 1
    assert index.row("<script>alert(1)</script> 50 % & a_b | $x$ #1")[6] == "not comparable: split"
    readme = markdown_of(reports, "cpu")
    assert "<script" not in readme
    assert r"| &lt;script&gt;alert(1)&lt;/script&gt; 50 % &amp; a_b \| \$x\$ \#1 |" in readme
    assert "diverged" in readme


def test_verdicts_show_value_interval_and_mark(index: Page) -> None:
    row = index.row("nice_ll")
    assert row[1:3] == ["NICE (2014) & others, Table 1", "digits"]
    assert row[3:7] == ["-69.25", "-69.0 [-70, -68]", "3 of 4", "undecided"]
    assert row[8] == "stale"
    assert index.row("nice_order")[4] == "3"  # one seed: no interval
    assert index.row("nice_mnist")[3] == "1980.5 (from memory)"


def test_a_source_is_a_short_title_and_its_place() -> None:
    told = {**dict.fromkeys(read.JUDGED.split(","), "some"), "low": None, "high": None}
    long = "NICE: Non-linear Independent Components Estimation (2014), arXiv 1410.8516"
    cell = verdicts.source(read.Judged(**{**told, "paper": long, "where": "table 2"}))
    assert (cell.text, cell.note) == ("NICE (2014), table 2", long)
    undated = verdicts.source(read.Judged(**{**told, "paper": "Container With Most Water, LeetCode", "where": ""}))
    assert undated.text == "Container With Most Water"


def test_tones_are_of_verdicts(index: Page) -> None:
    tones = [given["class"] for tag, given in index.tags if tag == "span"]
    assert tones.count("good") == 2  # reproduced; holds at short scale
    assert tones.count("bad") == 2  # fails at short scale; the diverged run


def test_marks_show_in_all_three(reports: Path, index: Page) -> None:
    for name in ("verdicts", "scores", "leaderboard"):
        assert "stale" in (reports / f"cpu/tables/{name}.tex").read_text()
        assert "stale, off-profile" in (reports / f"smoke/tables/{name}.tex").read_text()
    assert markdown_of(reports, "cpu").count("*stale*") == 3
    assert markdown_of(reports, "smoke").count("*stale, off-profile*") == 3
    assert sum("stale" in row for row in index.rows) == 3
    assert "*dirty*" in (reports / "cpu/runs.md").read_text()


def test_ranks_are_shared(index: Page, reports: Path) -> None:
    assert [row[1] for row in index.rows if row[0] == "1–3"] == ["nice_digits", "third", "twin"]
    assert "1--3 & twin" in (reports / "cpu/tables/leaderboard.tex").read_text()
    assert "| 1–3 | twin |" in (reports / "cpu/leaderboards.md").read_text()


def test_boards_are_one_a_protocol(reports: Path) -> None:
    boards = (reports / "cpu/leaderboards.md").read_text()
    headings = re.findall(r"^## (.*)$", boards, re.M)
    assert headings == [*(f"container: looks (n {n})" for n in (64, 256, 1024)), "digits: log_likelihood"]


def test_failures_are_rows(index: Page) -> None:
    row = next(row for row in index.rows if "diverged" in row)
    assert row[:2] == ["nice_digits", "3"]
    assert row[4].startswith("loss is not finite <script>")


def dead_links(made: dict[str, bytes]) -> list[str]:
    """Links in a report's Markdown to files of the report that are absent, or to places that are not in them."""
    dead = []
    for name in filter(lambda name: name.endswith(".md"), made):
        for file, place in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", made[name].decode()):
            target = made.get(file or name)
            known = file.startswith("../../results/") or target is not None
            if not known or (place and f'<a id="{place}"></a>'.encode() not in (target or b"")):
                dead.append(f"{name}: {file}#{place}")
    return dead


def sections_of(made: dict[str, bytes], kind: str) -> list[str]:
    """Sections of the pages of a kind, from the first page to the last, whichever page their links lead to."""
    found = [
        re.sub(r"_\d+\.md#", ".md#", made[name].decode()) for name in made if re.fullmatch(rf"{kind}(_\d+)?\.md", name)
    ]
    return [section.strip() for text in found for section in re.split(r"^(?=<a id|## )", text, flags=re.M)[1:]]


def test_every_link_in_markdown_leads_somewhere(reports: Path) -> None:
    found = everything(reports / "cpu")
    pages_made = {name for name in found if name.endswith(".md")}
    assert pages_made == {"README.md", "leaderboards.md", "entries.md", "runs.md", "figures.md"}
    assert b"](leaderboards.md#leaderboard-digits-log_likelihood)" in found["README.md"]
    assert b"](entries.md#evidence-nice_digits)" in found["leaderboards.md"]
    assert b"](entries.md#evidence-nice_digits)" in found["runs.md"]
    assert dead_links(found) == []


def test_entries_have_their_numbers_in_markdown(results_root: Path, reports: Path) -> None:
    text = (reports / "cpu/entries.md").read_text()
    head, *others = re.split(r"^## ", text, flags=re.M)
    assert "Means over seeds" in head
    by_name = {section.partition("\n")[0]: section for section in others}
    told = by_name["nice_digits"]
    assert "[record](../../results/entries/cpu/nice_digits.json)" in told
    assert "| variant | metric | mean |" in told
    assert "| -69.0 \\[-70, -68\\] |" in told
    assert "No record of it." in by_name["twin"]  # which the tables have
    assert "| variant | task | metric | mean |" in by_name["twin"]
    results = read.results("cpu", results_root)
    older = replace(results, scores=[row for row in results.scores if row.entry != "nice_digits"])
    assert "Not in the tables yet." in pages.report(older)["entries.md"].decode()


def test_pages_of_markdown_are_cut_before_they_are_too_long(
    results_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pages.report(read.results("cpu", results_root))
    longest = 1500
    monkeypatch.setattr(markdown_pages, "LONGEST", longest)
    made = pages.report(read.results("cpu", results_root))
    assert {"leaderboards_2.md", "entries_2.md"} <= made.keys()
    assert b"# Profile cpu: leaderboards (2 of " in made["leaderboards_2.md"]
    assert b"[leaderboards_2.md](leaderboards_2.md)" in made["README.md"]
    assert dead_links(made) == []
    for kind in ("leaderboards", "entries"):
        assert sections_of(made, kind) == sections_of(whole, kind)
        several = [name for name in made if name.startswith(kind) and len(sections_of({name: made[name]}, kind)) > 1]
        assert several
        assert all(len(made[name]) < longest + 250 for name in several)  # the page's own heading


def test_no_page_of_the_committed_reports_is_cut_off_by_a_code_host() -> None:
    written = sorted((Path(__file__).parents[3] / "reports").rglob("*.md"))
    assert written
    assert {str(path): size for path in written if (size := path.stat().st_size) > 500 * 1024} == {}


def test_latex_is_sound(reports: Path, assert_latex: Callable[[str], None]) -> None:
    for path in reports.rglob("*.tex"):
        assert_latex(path.read_text())
    assert r"claim & paper & ours & verdict \\" in (reports / "cpu/tables/verdicts.tex").read_text()


def test_warnings_by_tier(reports: Path) -> None:
    assert "never a paper's number" in (reports / "cpu/README.md").read_text()
    for name in ("README.md", "index.html"):
        assert "these numbers mean nothing" in (reports / "smoke" / name).read_text()


def test_front_door(reports: Path) -> None:
    text = (reports / "README.md").read_text()
    counts = "1 fails at short scale, 1 holds at short scale, 1 not comparable, "
    assert f"| [cpu](cpu/README.md) | short | 2 | 5 of 6 | {counts}" in text
    assert "How to read a verdict" in text


def test_reports_without_results_go_and_other_folders_stay(results_root: Path, tmp_path: Path) -> None:
    root, destination = tmp_path / "root", tmp_path / "reports"
    shutil.copytree(results_root, root)
    pages.build(root, destination)
    (destination / "mine").mkdir()
    shutil.rmtree(root / "results/tables/smoke")
    (destination / "cpu/old.txt").write_text("from a former build")
    pages.build(root, destination)
    assert sorted(path.name for path in destination.iterdir()) == ["README.md", "cpu", "mine"]
    assert not (destination / "cpu/old.txt").exists()
    assert not list(tmp_path.glob(".reports.*"))


def test_damaged_table_leaves_reports_as_they_are(results_root: Path, tmp_path: Path) -> None:
    root, destination = tmp_path / "root", tmp_path / "reports"
    shutil.copytree(results_root, root)
    pages.build(root, destination)
    before = everything(destination)
    (root / "results/tables/cpu/leaderboard.csv").write_text("nothing\n")
    with pytest.raises(InputError):
        pages.build(root, destination)
    assert everything(destination) == before


def test_no_results_at_all(tmp_path: Path) -> None:
    assert pages.build(tmp_path, tmp_path / "reports") == [tmp_path / "reports/README.md"]
    assert "No profile has results yet" in (tmp_path / "reports/README.md").read_text()


def test_figures_are_whole_and_in_the_page_s_colours(reports: Path) -> None:
    for path in reports.rglob("*.svg"):
        xml.etree.ElementTree.fromstring(path.read_bytes())
        assert b"matplotlib.org" not in path.read_bytes()
    for path in reports.rglob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    page = (reports / "cpu/index.html").read_text()
    assert figures.INK not in page
    assert "currentColor" in page
