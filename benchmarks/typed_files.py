"""Reading YAML and JSON into typed models, and writing files that are never half there.

Whatever is wrong with a file is told in one sentence: file, field, what was found, what is allowed.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.errors import InputError, input_error

LARGEST_FILE = 4 * 2**20  # bytes; the largest record so far is 60 kB
DEEPEST = 20  # levels of nesting; the deepest contract has 8


class Typed(BaseModel):
    """Base of every typed file: unknown fields are errors, nothing is coerced, values do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


class _Loader(yaml.SafeLoader):
    """YAML without aliases and duplicate keys, and with the floats of YAML 1.2 (1e-3 is a number)."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int):
                raise yaml.MarkedYAMLError(problem=f"key {key!r} is not a name", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?([0-9][0-9_]*)(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> Any:
    """The plain data of a YAML file.

    Raises:
        InputError: absent, empty, too large or deep, not UTF-8, malformed, aliases, duplicate keys, NaN or infinity.
    """
    text = _text(path)
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InputError(f"{path}: {where}: {error.problem}; write plain YAML, each key once") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not readable as YAML ({why}); write plain YAML") from None
    return _finite(path, data)


def read_json(path: Path) -> Any:
    """The plain data of a JSON file; raises InputError as `read_yaml` does."""
    text = _text(path)
    try:
        data = json.loads(text, object_pairs_hook=_each_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); restore the file or remake it") from None
    return _finite(path, data)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"key {name!r} stands twice")
        seen.add(name)
    return dict(pairs)


def load(path: Path, model: type[Model]) -> Model:
    """A YAML or JSON file (by its suffix) as a typed model; raises InputError with one sentence."""
    data = read_json(path) if path.suffix == ".json" else read_yaml(path)
    return validate(path, data, model)


def validate(path: Path | str, data: Any, model: type[Model]) -> Model:
    """Plain data as a typed model; `path` is for the sentence only."""
    if not isinstance(data, dict):
        raise input_error(path, "", type(data).__name__, "a mapping of fields is needed")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InputError(_sentence(path, data, error)) from None


def _text(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name")
    if path.stat().st_size > LARGEST_FILE:
        raise input_error(path, "", f"{path.stat().st_size} bytes", f"at most {LARGEST_FILE} bytes are read")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; restore it or write its fields")
    return text


def _finite(path: Path, data: Any) -> Any:
    for field, value in _leaves(path, data, ""):
        if isinstance(value, float) and not math.isfinite(value):
            raise input_error(path, _line(field), value, "a finite number is needed")
    return data


def _leaves(path: Path, data: Any, field: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if depth > DEEPEST:
        raise input_error(path, _line(field[:60]), f"more than {DEEPEST} levels", "nest less deeply")
    if isinstance(data, dict | list):
        pairs = data.items() if isinstance(data, dict) else enumerate(data)
        for key, value in pairs:
            yield from _leaves(path, value, f"{field}.{key}" if field else str(key), depth + 1)
    else:
        yield field, data


def _sentence(path: Path | str, data: Any, error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    rest = len(error.errors()) - 1
    more = f" ({rest} more after this one)" if rest else ""
    field = _field(data, first["loc"])
    match first["type"]:
        case "missing":
            return f"{path}: {field}: missing; add it{more}"
        case "extra_forbidden":
            return f"{path}: {field}: unknown field; remove it or correct its name{more}"
        case "union_tag_not_found":
            return f"{path}: {field}.kind: missing; add it{more}"
        case "union_tag_invalid":
            context = first.get("ctx", {})
            return f"{path}: {field}.kind: found {context.get('tag')!r}; allowed: {context.get('expected_tags')}{more}"
        case _:
            message = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            return str(input_error(path, field, repr(first["input"]), message)) + more


def _field(data: Any, loc: tuple[int | str, ...]) -> str:
    """Dotted place of an error; a list item that has an id is named by it."""
    parts: list[str] = []
    of_union = False
    for step in loc:
        if isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
            parts.append(str(data["id"]) if isinstance(data, dict) and "id" in data else str(step))
            of_union = isinstance(data, dict) and "kind" in data
        elif isinstance(data, dict):
            if of_union and step == data["kind"]:  # the tag of a union, which is no part of the file
                of_union = False
            elif step in data:
                data = data[step]
                parts.append(str(step))
            elif step == loc[-1]:
                parts.append(str(step))
    return _line(".".join(parts))


def _line(name: str) -> str:
    """A name out of a file as part of a sentence: on one line, and not without end."""
    return name[:120] if name.isprintable() else repr(name[:120])


def canonical(data: Any) -> str:
    """JSON with sorted keys and no spaces: equal data, equal text."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(data: Any) -> str:
    """First 16 hexadecimal digits of the SHA-256 of `canonical(data)`."""
    return hashlib.sha256(canonical(data).encode()).hexdigest()[:16]


def write_text(path: Path, text: str) -> None:
    """Writes a file so that a reader sees the old or the new one, whole (temporary file, fsync, rename)."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """As `write_text`, for bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        os.replace(name, path)
    except BaseException as error:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        if isinstance(error, OSError):
            raise InputError(f"{path}: could not be written ({error.strerror}); free space or permissions") from error
        raise


def write_json(path: Path, data: Any) -> None:
    """Indented JSON with sorted keys and a final newline, written whole."""
    write_text(path, json.dumps(data, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
