"""The table model and its renderers, and how numbers are written."""

import re
from collections.abc import Callable

import pytest

from benchmarks.reporting import latex, markdown, numbers
from benchmarks.reporting.table import Cell, Column, Table, anchors

HOSTILE = "<script>&amp; 50 % a_b_ _c | `d` *e* [f](g) $x$ #1 \\ ~ ^ {h}\nnext"


@pytest.mark.parametrize(
    ("mean", "low", "high", "seeds", "expected"),
    [
        (1980.52, 1979.1, 1982.3, 5, "1980.5 [1979, 1982]"),
        (1980.52, 1979.1, 1982.3, 1, "1980.5"),
        (1980.52, None, None, 5, "1980.5"),
        (None, None, None, 5, "–"),
        (0.91234, 0.90012, 0.92456, 3, "0.9123 [0.900, 0.925]"),
        (123456.7, 120000.0, 127000.0, 3, "123457 [120000, 127000]"),
        (-3.38712, -3.3931, -3.3812, 2, "-3.3871 [-3.393, -3.381]"),
        (0.0, -0.04, 0.04, 3, "0.000 [-0.04, 0.04]"),
        (-0.0001, -0.3, 0.3, 3, "0.00 [-0.3, 0.3]"),
        (49.0, 49.0, 49.0, 3, "49"),
        (4.5e-16, 4.4e-16, 4.6e-16, 3, "4.5e-16 [4.4e-16, 4.6e-16]"),
        (2.5e9, 2.4e9, 2.6e9, 3, "2.5e+09 [2.4e+09, 2.6e+09]"),
    ],
)
def test_digits_follow_the_interval(
    mean: float | None, low: float | None, high: float | None, seeds: int, expected: str
) -> None:
    assert numbers.with_interval(mean, low, high, seeds) == expected


def test_other_numbers() -> None:
    assert [numbers.plain(x) for x in (None, -0.0, 12345678.0, 0.1 + 0.2, 99999.96)] == [
        "–",
        "0",
        "1.235e+07",
        "0.3",
        "100000",
    ]
    assert [numbers.rank(1, 1), numbers.rank(1, 3)] == ["1", "1–3"]
    assert [numbers.seconds(s) for s in (3.0213, 119.9, 300, 7200)] == ["3.02 s", "120 s", "5.0 min", "2.0 h"]


def test_rows_must_fit_their_headings() -> None:
    with pytest.raises(ValueError, match="row 1 has 1 cells below 2 headings"):
        Table("t", "", (Column("a"), Column("b")), ((Cell("x"),),))


def test_anchors_are_apart() -> None:
    assert anchors(["a: b", "a b", "<b>"], "x") == ["x-a-b", "x-a-b-2", "x-b"]


def test_markdown_escapes() -> None:
    row = Table("<t>", "", (Column("a", better="lower"), Column("b", "right")), ((Cell(HOSTILE), Cell("1")),))
    lines = markdown.table(row).splitlines()
    assert lines[:2] == ["| a ↓ | b |", "| --- | ---: |"]
    assert len(lines) == 3
    assert len(re.split(r"(?<!\\)\|", lines[2])) == 4  # no cell is split, no line broken
    assert "&lt;script&gt;&amp;amp;" in lines[2]
    assert r"a_b\_ \_c" in lines[2]
    assert r"\`d\` \*e\* \[f\](g) \$x\$ \#1 \\ \~" in lines[2]


def test_latex_escapes_and_balances(assert_latex: Callable[[str], None]) -> None:
    text = latex.table(
        Table(HOSTILE, HOSTILE, (Column("a↑"), Column("b", "right")), ((Cell(HOSTILE), Cell("[1, -2]")),))
    )
    assert r"\textless{}script\textgreater{}\&amp; 50 \% a\_b\_ \_c \textbar{}" in text
    assert r"\$x\$ \#1 \textbackslash{} \textasciitilde{} \textasciicircum{} \{h\} next & {[}1, $-$2] \\" in text
    assert r"a$\uparrow$ & b \\" in text
    assert_latex(text)


def test_latex_columns_of_long_texts_share_what_the_others_leave_of_a_line(assert_latex: Callable[[str], None]) -> None:
    row = (Cell("an_id " * 20), Cell("words " * 20), Cell("1.5"), Cell("holds"))
    text = latex.table(Table("t", "", (Column("a"), Column("b"), Column("c", "right"), Column("d")), (row,)))
    widths = [float(width) for width in re.findall(r"p\{([\d.]+)\\linewidth\}", text.partition("\\toprule")[0])]
    assert len(widths) == 2
    assert widths[0] == widths[1]
    assert 0.7 < sum(widths) < 0.9
    assert r"\raggedright an\_\allowbreak{}id" in text
    assert_latex(text)


def test_long_latex_tables_break_over_pages(assert_latex: Callable[[str], None]) -> None:
    text = latex.table(Table("t", "", (Column("a"),), ((Cell("x"),),) * 100))
    assert r"\begin{longtable}{l}" in text
    assert r"\endhead" in text
    assert_latex(text)
