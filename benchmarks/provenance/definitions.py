"""Hashes of what code means: of top-level definitions and of all that they reach.

The hash of a definition is that of its syntax tree, in which each name that is imported or bound at the top of a module
is replaced by the hash of what it means. So names of files, modules, functions and constants do not count, nor do
places, comments, docstrings, annotations and formatting; a changed constant three imports away does. Names that are
not ours become what they are called outside (`numpy.linalg.norm`). Hashes are the same on Python 3.11 to 3.14.

Two rules make this possible, and breaking one raises `NotFollowed`: imports are absolute and without stars, and a
statement at the top of a module has no effect on anything but names that this module binds.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = ("implementations", "benchmarks")
SKIPPED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores", "type_params"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_COMPOUND = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.TryStar, ast.Match)


class NotFollowed(Exception):
    """Code whose meaning cannot be read from its definitions."""


@dataclass(frozen=True)
class Unit:
    """A top-level definition of ours; of a module used as a value the name is empty."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}:{self.name}"


@dataclass(frozen=True)
class _Import:
    """What an import binds: a module, or a name in it."""

    module: str
    name: str | None


@dataclass
class _Definition:
    """The statements that bind a name or act on it, and its place among the names that the first one binds."""

    place: int
    statements: list[ast.stmt] = field(default_factory=list)


Token = str | Unit
"""A piece of a syntax tree as text, or a definition that it names."""

_Scope = dict[str, _Import | None]  # names of a function or a class; None: a value of its own


class Code:
    """All modules of ours below a root; each is parsed when it is first needed."""

    def __init__(self, root: Path = Path()):
        self.root = root
        self._modules: dict[str, dict[str, _Definition | _Import] | None] = {}
        self._tokens: dict[Unit, list[Token]] = {}
        self._hashes: dict[Unit, str] = {}
        self._in_circles: set[Unit] = set()  # of those that have a hash

    def find(self, module: str, name: str) -> Unit | str:
        """What a name of a module means: a definition or a module of ours, or a dotted name of others.

        Raises:
            LookupError: there is no such module or name.
        """
        return self._resolve(module, name)

    def expression(self, module: str, expression: ast.expr, with_names: bool = False) -> list[Token]:
        """An expression at the top of a module; with the names of the definitions in it, where rows carry those."""
        return _Reader(self, module, with_names).read([expression])

    def elements(self, module: str, name: str) -> list[ast.expr]:
        """What a tuple that is assigned at the top of a module is made of."""
        match self._bindings(module).get(name):
            case _Definition(
                statements=[ast.Assign(value=ast.Tuple(elts=made)) | ast.AnnAssign(value=ast.Tuple(elts=made))]
            ):
                return made
        raise NotFollowed(f"{module}: {name} is no tuple written out")

    def hash(self, tokens: Iterable[Token]) -> str:
        """Hash of definitions and texts, 32 hexadecimal digits.

        Raises:
            NotFollowed: the meaning of what they reach cannot be read.
        """
        return _digest(token if isinstance(token, str) else self._hash(token, [])[0] for token in tokens)

    def reach(self, tokens: Iterable[Token]) -> set[Unit]:
        """The definitions among them and all that these reach."""
        seen: set[Unit] = set()
        waiting = [token for token in tokens if isinstance(token, Unit)]
        while waiting:
            unit = waiting.pop()
            if unit not in seen:
                seen.add(unit)
                waiting += [token for token in self._read(unit) if isinstance(token, Unit)]
        return seen

    def _hash(self, unit: Unit, above: list[Unit]) -> tuple[str, int]:
        """The hash, and the highest place in `above` that it depends on.

        A definition that is being hashed already is told by how far above it stands, so that circles need no names.
        What depends on such a place has no hash of its own, and is not kept; nor is a kept hash taken inside a circle
        that is being hashed, since it was begun at another place of it.
        """
        inside = unit in self._in_circles and not self.reach([unit]).isdisjoint(above)
        if unit in self._hashes and not inside:
            return self._hashes[unit], len(above)
        if unit in above:
            place = above.index(unit)
            return f"{len(above) - place} above", place
        own, highest, closes = len(above), len(above), False
        parts = []
        for token in self._read(unit):
            if isinstance(token, Unit):
                token, place = self._hash(token, [*above, unit])
                highest, closes = min(highest, place), closes or place == own
            parts.append(token)
        made = _digest(sorted(parts) if not unit.name else parts)
        if highest >= own:
            self._hashes[unit] = made
            if closes:
                self._in_circles.add(unit)
        return made, highest

    def _read(self, unit: Unit) -> list[Token]:
        """The definition's own syntax tree, with what it refers to."""
        if unit not in self._tokens:
            bindings = self._bindings(unit.module)
            if unit.name:
                definition = bindings[unit.name]
                assert isinstance(definition, _Definition)
                reader = _Reader(self, unit.module)
                self._tokens[unit] = [str(definition.place), *reader.read(definition.statements)]
            else:
                names = [name for name, bound in bindings.items() if isinstance(bound, _Definition)]
                self._tokens[unit] = [Unit(unit.module, name) for name in names]
        return self._tokens[unit]

    def _resolve(self, module: str, name: str | None) -> Unit | str:
        """What a name of a module means: a definition or a module of ours, or a dotted name of others."""
        if module.split(".")[0] not in PACKAGES:
            return module if name is None else f"{module}.{name}"
        if name is None or name == "":
            return Unit(module, "")
        bound = self._bindings(module).get(name)
        if isinstance(bound, _Import):
            return self._resolve(bound.module, bound.name)
        if bound is not None:
            return Unit(module, name)
        if self._path(f"{module}.{name}") is not None:
            return Unit(f"{module}.{name}", "")
        raise LookupError(f"{module} binds no name {name}")

    def _path(self, module: str) -> Path | None:
        base = self.root.joinpath(*module.split("."))
        return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)

    def _bindings(self, module: str) -> dict[str, _Definition | _Import]:
        if module not in self._modules:
            path = self._path(module)
            if path is None and not self.root.joinpath(*module.split(".")).is_dir():
                raise LookupError(f"no module {module} below {self.root.resolve()}")
            body = ast.parse(path.read_text(encoding="utf-8"), str(path)).body if path else []
            self._modules[module] = _bindings(body, module)
        found = self._modules[module]
        assert found is not None
        return found


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _bindings(body: Sequence[ast.stmt], module: str) -> dict[str, _Definition | _Import]:
    """What each name at the top of a module means."""
    found: dict[str, _Definition | _Import] = {}

    def refused(statement: ast.stmt, why: str) -> NotFollowed:
        return NotFollowed(f"{module}, line {statement.lineno}: {why}")

    def imported(statement: ast.Import | ast.ImportFrom) -> None:
        for name, meant in _imported(statement, module).items():
            if found.get(name, meant) != meant:
                raise refused(statement, f"{name} is bound twice")
            found[name] = meant

    def define(name: str, statement: ast.stmt, place: int = 0) -> None:
        bound = found.get(name)
        if isinstance(bound, _Import):
            raise refused(statement, f"{name} is bound twice")
        if not isinstance(bound, _Definition):
            bound = found[name] = _Definition(place)
        bound.statements.append(statement)

    for statement in body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            imported(statement)
        elif _is_silent(statement):
            pass
        elif isinstance(statement, ast.If) and _is_type_checking(statement.test):
            for inner in [*statement.body, *statement.orelse]:
                if not isinstance(inner, ast.Import | ast.ImportFrom) or inner in statement.orelse:
                    raise refused(inner, "under TYPE_CHECKING stand imports only, and nothing otherwise")
                imported(inner)
        elif isinstance(statement, _COMPOUND):  # it may change what it does not bind, and import by condition
            raise refused(statement, "a statement with others inside; put it into a function")
        elif owner := _owner(statement):  # x.register(...), x[...] = ..., @x.register
            if not isinstance(found.get(owner), _Definition):
                raise refused(statement, f"it changes {owner}, which is not defined there")
            define(owner, statement)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name != "_":
                define(statement.name, statement)
        else:
            names: _Scope = {}
            _bound(statement, names, module)
            if not names:
                raise refused(statement, "a statement with an effect")
            for place, name in enumerate(names):
                define(name, statement, place)
    return found


def _imported(statement: ast.Import | ast.ImportFrom, module: str) -> dict[str, _Import]:
    if isinstance(statement, ast.Import):
        return {
            alias.asname or alias.name.split(".")[0]: _Import(
                alias.name if alias.asname else alias.name.split(".")[0], None
            )
            for alias in statement.names
        }
    if statement.level or any(alias.name == "*" for alias in statement.names):
        raise NotFollowed(f"{module}, line {statement.lineno}: imports are absolute, and of names")
    assert statement.module
    return {alias.asname or alias.name: _Import(statement.module, alias.name) for alias in statement.names}


def _is_silent(statement: ast.stmt) -> bool:
    """Docstrings, `...`, pass, __all__: nothing that runs."""
    match statement:
        case ast.Pass() | ast.Expr(ast.Constant()) | ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
    return False


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _owner(statement: ast.stmt) -> str | None:
    """The name whose value a statement at the top of a module changes, where it binds none of its own."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(id=name)))):
            return name
        case ast.Assign(targets=[ast.Subscript(ast.Name(id=name)) | ast.Attribute(ast.Name(id=name))]):
            return name
        case ast.FunctionDef() | ast.ClassDef():
            return next(_registrars(statement), None)
    return None


def _registrars(statement: ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
    """Of `@x.register` and `@x.register(...)` the x."""
    for decorator in statement.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        match called:
            case ast.Attribute(ast.Name(id=name), attr="register"):
                yield name


def _bound(node: ast.AST, names: _Scope, module: str) -> None:
    """Adds the names that a node binds in the scope that it stands in."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            names[node.name] = None
            return
        case ast.Lambda():
            return
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            for inner in ast.walk(node):
                if isinstance(inner, ast.NamedExpr):
                    names[inner.target.id] = None
            return
        case ast.Import() | ast.ImportFrom():
            for name, meant in _imported(node, module).items():
                if (names.get(name) or meant) != meant:
                    raise NotFollowed(f"{module}, line {node.lineno}: {name} is imported twice in one function")
                names[name] = meant
            return
        case ast.Name(ctx=ast.Store() | ast.Del()):
            names.setdefault(node.id, None)
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
            names[name] = None
        case ast.MatchMapping(rest=str(name)):
            names[name] = None
    for child in ast.iter_child_nodes(node):
        _bound(child, names, module)


def _scope(nodes: Iterable[ast.AST], module: str) -> _Scope:
    names: _Scope = {}
    outer: set[str] = set()
    for node in nodes:
        _bound(node, names, module)
        outer.update(_of_outer_scopes(node))
    return {name: bound for name, bound in names.items() if name not in outer}


def _of_outer_scopes(node: ast.AST) -> Iterator[str]:
    """Names that a node declares to be those of scopes further out."""
    if isinstance(node, ast.Global | ast.Nonlocal):
        yield from node.names
    elif not isinstance(node, Function | ast.ClassDef | ast.Lambda):
        for child in ast.iter_child_nodes(node):
            yield from _of_outer_scopes(child)


class _Reader:
    """Writes syntax trees as tokens: a canonical text, in which what is bound elsewhere is a `Unit`."""

    def __init__(self, code: Code, module: str, with_names: bool = False):
        self.code, self.module, self.with_names = code, module, with_names
        self.tokens: list[Token] = []
        self.scopes: list[tuple[bool, _Scope]] = []  # whether it is a class's, its names

    def read(self, nodes: Sequence[ast.AST]) -> list[Token]:
        """Tokens of statements or expressions at the top of the module."""
        for node in nodes:
            self._node(node)
        return self.tokens

    def _node(self, node: ast.AST) -> None:
        match node:
            case ast.Name() | ast.Attribute():
                self._name(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node)
            case ast.ClassDef():
                self._class(node)
            case ast.Lambda():
                self._open("Lambda")
                self._fields(node.args)
                self._inside(False, _scope([*_arguments(node.args), node.body], self.module), [node.body])
                self._close()
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node)
            case ast.AnnAssign():
                self._annotated(node)
            case ast.Import() | ast.ImportFrom():
                pass  # what is used of it counts where it is used
            case ast.If() if _is_type_checking(node.test):
                pass
            case ast.JoinedStr():
                self._f_string(node)
            case ast.Constant():
                self.tokens.append(f"{type(node.value).__name__} {node.value!a}")
            case ast.arg():
                self.tokens.append(f"arg {node.arg}")  # without its annotation
            case _ if isinstance(node, ast.stmt) and _is_silent(node):
                pass
            case _:
                self._open(type(node).__name__)
                self._fields(node)
                self._close()

    def _open(self, kind: str) -> None:
        self.tokens.append(f"({kind}")

    def _close(self) -> None:
        self.tokens.append(")")

    def _fields(self, node: ast.AST, without: Sequence[str] = ()) -> None:
        for name in sorted(node._fields):
            if name not in SKIPPED_FIELDS and name not in without:
                self._field(name, getattr(node, name, None))

    def _field(self, name: str, value: Any) -> None:
        """Fields that are None or empty are left out, as some versions do."""
        if value is None or value == []:
            return
        self.tokens.append(f".{name}")
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.AST):
                self._node(item)
            else:
                self.tokens.append(f"{type(item).__name__} {item!a}")

    def _inside(self, of_class: bool, names: _Scope, nodes: Iterable[ast.AST]) -> None:
        self.scopes.append((of_class, names))
        for node in nodes:
            self._node(node)
        self.scopes.pop()

    def _function(self, node: Function) -> None:
        dispatched = any(isinstance(getattr(each, "func", each), ast.Attribute) for each in node.decorator_list)
        self._open(type(node).__name__)
        if self.scopes:  # of a definition at the top, which is told by what it means, the name does not count
            self.tokens.append(node.name)
        for decorator in node.decorator_list:
            self._node(decorator)
        self._fields(node.args)
        if dispatched:  # its annotations may say what it is called for
            for annotation in (*(each.annotation for each in _arguments(node.args)), node.returns):
                if annotation is not None:
                    self._node(annotation)
        self.tokens.append(".body")
        self._inside(False, _scope([*_arguments(node.args), *node.body], self.module), node.body)
        self._close()

    def _class(self, node: ast.ClassDef) -> None:
        self._open(f"ClassDef {node.name}")  # the name is in what `str` makes of a dataclass
        self._fields(node, without=("name", "body"))
        self.tokens.append(".body")
        self._inside(True, _scope(node.body, self.module), node.body)
        self._close()

    def _comprehension(self, node: Comprehension) -> None:
        self._open(type(node).__name__)
        names = _scope([part.target for part in node.generators], self.module)
        for inner in ast.walk(node.generators[0].iter):  # this one stands outside the comprehension's scope
            if isinstance(inner, ast.Name) and inner.id in names and self._meaning(inner) is not None:
                raise NotFollowed(f"{self.module}, line {inner.lineno}: {inner.id} means two things here")
        results = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        self._inside(False, names, [*results, *node.generators])
        self._close()

    def _annotated(self, node: ast.AnnAssign) -> None:
        if self.scopes and self.scopes[-1][0]:  # a field of a dataclass or a model
            self._open("AnnAssign")
            self._fields(node)
            self._close()
        elif node.value is not None:
            self._node(ast.Assign(targets=[node.target], value=node.value))

    def _f_string(self, node: ast.JoinedStr) -> None:
        """Neighbouring texts are one, and empty ones none: versions cut them differently."""
        self._open("JoinedStr")
        text = ""
        for part in node.values:
            if isinstance(part, ast.Constant):
                text += str(part.value)
                continue
            assert isinstance(part, ast.FormattedValue)
            self.tokens.append(ascii(text))
            text = ""
            self._open(f"FormattedValue {part.conversion}")
            self._node(part.value)
            if isinstance(part.format_spec, ast.JoinedStr) and part.format_spec.values:
                self._node(part.format_spec)
            self._close()
        self.tokens.append(ascii(text))
        self._close()

    def _name(self, node: ast.Name | ast.Attribute) -> None:
        """A name with the attributes taken of it: as far as modules go it is followed, the rest is written."""
        attributes: list[str] = []
        whole, inner = node, node
        while isinstance(inner, ast.Attribute):
            attributes.insert(0, inner.attr)
            inner = inner.value  # type: ignore[assignment]
        if not isinstance(inner, ast.Name):
            assert isinstance(whole, ast.Attribute)
            self.tokens.append(f"Attribute {whole.attr}")
            self._node(whole.value)
            return
        found = self._meaning(inner)
        while attributes and (isinstance(found, str) or (isinstance(found, Unit) and not found.name)):
            attribute = attributes.pop(0)
            module = found if isinstance(found, str) else found.module
            found = self.code._resolve(module, attribute)
        if found is None:
            at_top = not self.scopes and isinstance(inner.ctx, ast.Store)
            found = "Name" if at_top else f"Name {inner.id}"
        elif self.with_names and isinstance(found, Unit):
            self.tokens.append(found.name)
        self.tokens.append(found)
        self.tokens += [f"Attribute {attribute}" for attribute in attributes]

    def _meaning(self, node: ast.Name) -> Unit | str | None:
        """A definition or module of ours, a dotted name of others; None of a local name or a builtin one."""
        for place, (of_class, names) in enumerate(reversed(self.scopes)):
            if node.id in names and not (of_class and place):
                bound = names[node.id]
                return None if bound is None else self.code._resolve(bound.module, bound.name)
        if not self.scopes and isinstance(node.ctx, ast.Store):
            return None
        if node.id in self.code._bindings(self.module):
            return self.code._resolve(self.module, node.id)
        return None


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*found, *(each for each in (arguments.vararg, arguments.kwarg) if each is not None)]
