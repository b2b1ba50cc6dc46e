"""The pages of the site: whole, escaped, nothing from outside, the same bytes again."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.files.errors import InputError
from benchmarks.judging.results import Results
from benchmarks.reporting import figures, site

VOID = {"meta", "link", "br", "hr", "img", "input", "wbr"}


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


def page_of(results: Results) -> str:
    return site.page(results, [site.figures_of(record) for record in results.records])


@pytest.fixture(scope="module")
def built(everything: list[Results], tmp_path_factory: pytest.TempPathFactory) -> Path:
    destination = tmp_path_factory.mktemp("site")
    site.build(everything, destination)
    return destination


@pytest.fixture(scope="module")
def page(built: Path) -> Page:
    return Page((built / "cpu/index.html").read_text())


def test_a_page_a_profile_and_one_that_names_them(everything: list[Results], built: Path, tmp_path: Path) -> None:
    made = {str(path.relative_to(built)): path.read_bytes() for path in built.rglob("*") if path.is_file()}
    assert made.keys() == {"index.html", "cpu/index.html", "smoke/index.html"}
    assert {"cpu/index.html", "smoke/index.html"} <= set(Page(made["index.html"].decode()).links)
    assert page_of(everything[0]).encode() == made["cpu/index.html"]  # the same bytes


def test_a_page_needs_nothing_from_outside(built: Path, page: Page) -> None:
    text = (built / "cpu/index.html").read_text()
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]+"', "", text))
    assert not re.search(r"@import|url\((?!#)", text)
    outside = [link for link in page.links if not link.startswith(("#", "data:image/png;", "../"))]
    assert outside == []


def test_a_page_is_sound_and_its_links_lead_somewhere(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside
    assert inside <= set(page.ids)
    drawings = [given for tag, given in page.tags if tag == "svg"]
    assert drawings
    assert all(given["role"] == "img" and given["aria-label"] for given in drawings)
    assert [given["alt"] for tag, given in page.tags if tag == "img"]


def test_hostile_names_do_nothing(page: Page) -> None:
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<script>alert(1)</script> 50 % & a_b | $x$ #1" in page.row("container_looks")[1]


def test_verdicts_show_value_interval_and_mark(page: Page) -> None:
    row = page.row("nice_ll")
    assert row[1:3] == ["A paper (2014), Table 1", "digits"]
    assert row[3:7] == ["-69.25", "-69.0 [-70, -68]", "3 of 4", "undecided"]
    assert row[8] == "stale"
    assert page.row("nice_mnist")[3] == "1980.5 (from memory)"


def test_green_and_red_are_of_verdicts_that_mean_something(page: Page, built: Path) -> None:
    tones = [given["class"] for tag, given in page.tags if tag == "span"]
    assert tones.count("good") == 2  # reproduced; holds at short scale
    assert tones.count("bad") == 4  # fails at short scale; the diverged run of each of the three flows


def test_ranks_are_shared_and_failures_are_rows(page: Page) -> None:
    assert [row[1] for row in page.rows if row[0] == "1–3"] == ["nice_digits", "third", "twin"]
    row = next(row for row in page.rows if "diverged" in row)
    assert row[:2] == ["nice_digits", "3"]
    assert row[4].startswith("loss is not finite <script>")


def test_figures_have_the_colours_of_the_page(built: Path) -> None:
    text = (built / "cpu/index.html").read_text()
    assert figures.INK not in text
    assert "currentColor" in text


def test_a_damaged_picture_is_told(everything: list[Results], tmp_path: Path) -> None:
    record = next(record for record in everything[0].records if record.pictures)
    broken = record.model_copy(update={"pictures": [record.pictures[0].model_copy(update={"data": "AAAA"})]})
    with pytest.raises(InputError, match="entry nice_digits: picture samples"):
        site.figures_of(broken)


def test_no_results_at_all(tmp_path: Path) -> None:
    assert site.build([], tmp_path) == [tmp_path / "index.html"]
