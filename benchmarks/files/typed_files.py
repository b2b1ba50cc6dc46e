"""Reading YAML and JSON into typed models, and writing files whole.

Everything wrong with a file is said at once, a line each: file, field, what was found, what it must be.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarks.files.errors import InputError, input_error

# LibYAML is ten times as fast; a PyYAML built without it reads the same data.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Typed(BaseModel):
    """Base of every typed file: unknown fields are errors, nothing is coerced, values do not change."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


# YAML 1.1, 1.2 and people read other plain words as values differently: 061 is 49, 61 or a text, yes is true or a text.
# A word is told to be a value where any of them does; what only some do, or do otherwise, is refused.
_FIRST = list("-+.0123456789")
_INT = re.compile(r"^[-+]?(0o[0-7_]+|[0-9]+)$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?$")
_PLAIN = {
    "int": (re.compile(r"[-+]?(0|[1-9][0-9]*)"), "write a decimal number without leading zeros, underscores or colons"),
    "float": (
        re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|nan)"),
        "write a decimal number without leading zeros, underscores or colons",
    ),
    "bool": (re.compile(r"true|false"), "write true or false"),
    "timestamp": (re.compile(r"(?!)"), "dates are text"),
}


class _Ambiguous(yaml.MarkedYAMLError):
    """A word that readers of YAML take for different values; the problem tells the fix."""


class _Loader(_Base):  # type: ignore[misc]
    """YAML without duplicate keys, whose values are those on which YAML 1.1 and 1.2 agree (and 1e-3 is a number)."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            key = self.construct_object(key_node, deep=True)
            problem = f"duplicate key {key!r}" if isinstance(key, str | int) else f"key {key!r} is not a name"
            if not isinstance(key, str | int) or key in seen:
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def construct_plainly(self, node: Any) -> Any:
        """A number or a boolean as everybody reads it; raises _Ambiguous for other ways to write one, and for dates."""
        kind = node.tag.rpartition(":")[2]
        pattern, fix = _PLAIN[kind]
        text = self.construct_scalar(node)
        if not pattern.fullmatch(text):
            shown = repr(text)[1:-1][:80]  # on one line
            problem = f"{shown} is not read alike by all readers of YAML; {fix}, or put quotes around a text"
            raise _Ambiguous(problem=problem, problem_mark=node.start_mark)
        return getattr(self, f"construct_yaml_{kind}")(node)


class _Writer(yaml.SafeDumper):
    """Puts quotes around every text that `_Loader` would not read as that text."""


_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, _FIRST)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, _FIRST)
_Writer.add_implicit_resolver("tag:yaml.org,2002:int", _INT, _FIRST)
_Writer.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, _FIRST)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_plainly)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_plainly)
_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.construct_plainly)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_plainly)


def yaml_text(data: Any) -> str:
    """Plain data as YAML, a field a line in the order given, which `read_yaml` gives back."""
    return yaml.dump(data, Dumper=_Writer, sort_keys=False, default_flow_style=False, width=1000)


def read_yaml(path: Path) -> Any:
    """The plain data of a YAML file; raises InputError when it is absent, empty, not UTF-8 or malformed."""
    text = read_text(path)
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        fix = "" if isinstance(error, _Ambiguous) else "; write plain YAML, each key once"
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "somewhere"
        raise InputError(f"{path}: {where}: {error.problem}{fix}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # ValueError: no such date, a number without end
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not readable as YAML ({reason}); write plain YAML") from None


def read_json(path: Path) -> Any:
    """The plain data of a JSON file; raises InputError as `read_yaml` does."""
    text = read_text(path)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}); restore the file or remake it") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return data


def load(path: Path, model: type[Model]) -> Model:
    """A YAML or JSON file (by its suffix) as a typed model; raises InputError with a line for each error."""
    return validate(path, read_json(path) if path.suffix == ".json" else read_yaml(path), model)


def validate(path: Path | str, data: Any, model: type[Model]) -> Model:
    """Plain data as a typed model; `path` is for messages only."""
    if not isinstance(data, dict):
        raise input_error(path, "", type(data).__name__, "must be a mapping of fields")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        messages: dict[str, str] = {}  # one a field: of a union, pydantic has one for each of its types
        for problem in error.errors(include_url=False):
            field = _field(data, problem["loc"])
            messages.setdefault(field, _message(path, field, problem))
        raise InputError("\n".join(messages.values())) from None


def read_text(path: Path) -> str:
    """The text of a file; raises InputError when it is absent, empty or not UTF-8."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the name")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty; restore it or write its fields")
    return text


def _message(path: Path | str, field: str, problem: Any) -> str:
    match problem["type"]:
        case "missing":
            return f"{path}: {field}: missing; add it"
        case "extra_forbidden":
            return f"{path}: {field}: unknown field; remove it or correct its name"
        case "union_tag_not_found":
            return f"{path}: {field}.kind: missing; add it"
        case "union_tag_invalid":
            context = problem["ctx"]
            return str(input_error(path, f"{field}.kind", repr(context["tag"]), f"must be {context['expected_tags']}"))
        case _:
            allowed = problem["msg"].removeprefix("Value error, ").replace("Input should be ", "must be ", 1)
            return str(input_error(path, field, repr(problem["input"]), allowed))


def _field(data: Any, steps: tuple[int | str, ...]) -> str:
    """Dotted place of an error, on one line; a list item that has an id is named by it."""
    parts: list[str] = []
    tag = None  # of a union, which pydantic puts into the place and the file does not
    for step in steps:
        if isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
            tag = data.get("kind") if isinstance(data, dict) else None
            parts.append(str(data.get("id", step)) if isinstance(data, dict) else str(step))
        elif isinstance(data, dict) and (step in data or step == steps[-1]) and step != tag:
            data = data.get(step)
            parts.append(str(step))
        else:
            tag = None
    name = ".".join(parts)[:120]
    return name if name.isprintable() else repr(name)


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _unwritten(path, error) from error
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
            raise _unwritten(path, error) from error
        raise


def _unwritten(path: Path, error: OSError) -> InputError:
    return InputError(f"{path}: could not be written ({error.strerror}); free space or permissions")


def write_json(path: Path, data: Any) -> None:
    """Writes a file, whole or not at all: sorted keys, and what fits on a line on one, so that diffs can be read."""
    write_text(path, _laid_out(data) + "\n")


def _laid_out(data: Any, indent: str = "") -> str:
    line = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False)
    if len(indent) + len(line) <= 240 or not isinstance(data, dict | list):
        return line
    inner = indent + " "
    if isinstance(data, list):
        return "[\n" + ",\n".join(inner + _laid_out(item, inner) for item in data) + f"\n{indent}]"
    items = (f"{inner}{json.dumps(key, ensure_ascii=False)}: {_laid_out(data[key], inner)}" for key in sorted(data))
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"
