"""Reading any YAML or JSON file into a typed model: every error of a file in one go, a line each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, JsonValue

from benchmarks.files.errors import InputError
from benchmarks.files.typed_files import Typed, load, read_json, read_yaml, validate, write_bytes, yaml_text


class Circle(Typed):
    kind: Literal["circle"]
    id: str
    radius: float | list[float]


class Square(Typed):
    kind: Literal["square"]
    id: str
    side: int = Field(ge=1)


class Drawing(Typed):
    name: str
    shapes: list[Annotated[Circle | Square, Field(discriminator="kind")]] = []
    settings: dict[str, JsonValue] = {}


def lines(call: Callable[[], Any]) -> list[str]:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value).splitlines()


def written(folder: Path, content: str | bytes, name: str = "file.yaml") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_every_error_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    text = (
        "nam: x\nshapes:\n- {kind: circle, id: one, radius: wide}\n- {kind: square, id: two, side: true}\n"
        "- {kind: square, id: three, side: 0, colour: red}\n- {kind: cube, id: four}\n- {id: five}\n"
    )
    assert lines(lambda: load(written(tmp_path, text), Drawing)) == [
        f"{tmp_path / 'file.yaml'}: {line}"
        for line in (
            "name: missing; add it",
            "shapes.one.radius: found 'wide'; must be a valid number",
            "shapes.two.side: found True; must be a valid integer",
            "shapes.three.side: found 0; must be greater than or equal to 1",
            "shapes.three.colour: unknown field; remove it or correct its name",
            "shapes.four.kind: found 'cube'; must be 'circle', 'square'",
            "shapes.five.kind: missing; add it",
            "nam: unknown field; remove it or correct its name",
        )
    ]


@pytest.mark.parametrize("value", ["true", "'5'", "5.0", "null"])
def test_nothing_is_taken_for_a_whole_number(tmp_path: Path, value: str) -> None:
    path = written(tmp_path, f"name: x\nshapes: [{{kind: square, id: a, side: {value}}}]\n")
    assert "shapes.a.side: found" in lines(lambda: load(path, Drawing))[0]


# What YAML 1.1 and 1.2 agree on; floats without a point or a sign in the exponent are those of YAML 1.2.
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3), ("-2E5", -2e5), ("1.5", 1.5), ("1.5e3", 1500.0), (".5", 0.5), ("-.5", -0.5), ("+.5e1", 5.0),
        ("0.50", 0.5), ("1.", 1.0), ("0", 0), ("-10", -10), ("+7", 7), ("true", True), ("false", False), ("~", None),
        ("1e", "1e"), ("'061'", "061"), ('"yes"', "yes"), ("'2014-01-02'", "2014-01-02"), ("3.11.2", "3.11.2"),
        ("v061", "v061"), ("y", "y"), ("1-2", "1-2"),
    ],
)  # fmt: skip
def test_plain_yaml_values(tmp_path: Path, text: str, value: object) -> None:
    found = read_yaml(written(tmp_path, f"a: {text}\n"))["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        *((text, "write a decimal number without leading zeros, underscores or colons") for text in (
            "061", "010", "-017", "089", "00", "1:30", "190:20:30", "1:30.5", "0o17", "0x1F", "-0x10", "0b11", "1_000",
            "1_000.5", "1_0e3", "01.5", "007e3", "!!int '061'", "!!float '1_0'")),
        *((text, "write true or false") for text in ("yes", "No", "on", "OFF", "True", "FALSE", "!!bool 'yes'")),
        ("2014-01-02", "dates are text"),
        ("2014-13-45", "dates are text"),
        ("2014-01-02 10:20:30", "dates are text"),
    ],
)  # fmt: skip
def test_what_readers_of_yaml_read_differently_is_refused(tmp_path: Path, text: str, fix: str) -> None:
    """061 was 49, seeds [010] were [8]."""
    for content, column in ((f"a: {text}\n", 4), (f"a: [{text}]\n", 5), (f"? {text}\n: 1\n", 3)):
        path = written(tmp_path, content)
        (line,) = lines(lambda path=path: read_yaml(path))
        assert line.startswith(f"{path}: line 1, column {column}: ")
        word = text.removeprefix("!!int ").removeprefix("!!float ").removeprefix("!!bool ").strip("'")
        assert line.endswith(f": {word} is not read alike by all readers of YAML; {fix}, or put quotes around a text")


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r\x85\u2028\u2029"))
WORDS = st.from_regex(r"[-+.0-9eoxb_:yYnNtTfF]{1,8}", fullmatch=True)


@given(text=TEXTS | WORDS)
@example(text="061")
@example(text="0o17")
@example(text="08")
@example(text="12e3")
@example(text="1160135435e22821")  # as a hash may be, of which YAML 1.2 makes infinity
def test_a_text_that_was_written_is_read_as_that_text(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "texts.yaml"
    path.write_bytes(yaml_text({"a": text, "b": [text]}).encode())
    assert read_yaml(path) == {"a": text, "b": [text]}


@given(text=WORDS)
def test_any_word_is_a_value_or_one_sentence(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "words.yaml"
    path.write_text(f"a: {text}\n")
    try:
        value, told = read_yaml(path)["a"], []
    except InputError as error:
        value, told = text, str(error).splitlines()
    assert len(told) <= 1
    assert value == text or float(value) == float(text)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"a: \xff\n", "byte 3 is not UTF-8"),
        (b"a: b\x00\n", "not readable as YAML"),
        (b"a: 1\nb: 2\na: 3\n", "line 3, column 1: duplicate key 'a'"),
        (b"b:\n  c: {a: 1, a: 2}\n", "line 2, column 13: duplicate key 'a'"),
        (b"? [a, b]\n: 1\n", "line 1, column 3: key ['a', 'b'] is not a name"),
        (b"a: [1\nb: 2\n", "line 2"),
        (b"a: 1\n---\nb: 2\n", "another document"),
        (b"a: !!python/object/apply:os.getcwd []\n", "python/object"),
    ],
)
def test_broken_yaml(tmp_path: Path, content: bytes, said: str) -> None:
    path = written(tmp_path, content)
    (line,) = lines(lambda: read_yaml(path))
    assert line.startswith(f"{path}: ")
    assert said in line


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b'{"a": "\xe9"}', "byte 7 is not UTF-8"),
        (b'{"a": 1', "not readable as JSON"),
        (b'{\n<<<<<<< HEAD\n"a": 1}', "line 2 column 1"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "duplicate key 'c'"),
        (b"[" * 200_000, "not readable as JSON"),
    ],
)
def test_broken_json(tmp_path: Path, content: bytes, said: str) -> None:
    (line,) = lines(lambda: read_json(written(tmp_path, content, "file.json")))
    assert said in line


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("data", "field"),
    [
        (lambda value: {"name": "x", "settings": {"rate": [1, value]}}, "settings.rate.1"),
        (lambda value: {"name": "x", "shapes": [{"kind": "circle", "id": "a", "radius": value}]}, "shapes.a.radius"),
    ],
)
def test_numbers_are_finite(tmp_path: Path, data: Callable[[float], Any], field: str, value: float) -> None:
    path = written(tmp_path, json.dumps(data(value)), "file.json")
    assert f"{field}: found {value}; must be a finite number" in lines(lambda: load(path, Drawing))[0]


@pytest.mark.parametrize("data", [[], None, "x"])
def test_a_file_is_a_mapping(data: object) -> None:
    assert lines(lambda: validate("here", data, Drawing)) == [
        f"here: found {type(data).__name__}; must be a mapping of fields"
    ]


def test_a_name_with_a_line_break_stays_on_one_line() -> None:
    (line,) = lines(lambda: validate("here", {"name": "x", "a\nb": 1}, Drawing))
    assert line == "here: 'a\\nb': unknown field; remove it or correct its name"


def test_absent_files(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml"):
        assert lines(lambda path=path: load(path, Drawing)) == [f"{path}: no such file; check the name"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "before")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("benchmarks.files.typed_files.os.replace", refuse)
    assert "could not be written (No space left on device)" in lines(lambda: write_bytes(path, b"after"))[0]
    assert [file.name for file in tmp_path.iterdir()] == ["file.yaml"]
    assert path.read_bytes() == b"before"
