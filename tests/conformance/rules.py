"""The house's rules for a file of `implementations/`, read off its syntax tree."""

import ast

TORCH_DRAWS = {
    "rand", "randn", "randint", "randperm", "rand_like", "randn_like", "randint_like", "normal", "bernoulli",
    "multinomial", "poisson", "binomial",
}  # fmt: skip
IN_PLACE_DRAWS = {
    "uniform_", "normal_", "bernoulli_", "exponential_", "random_", "log_normal_", "geometric_", "cauchy_",
    "kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_", "trunc_normal_", "orthogonal_",
}  # fmt: skip
HIDDEN_DRAWS = {"Dropout", "Dropout1d", "Dropout2d", "dropout", "seed", "manual_seed"}
INPUT_AND_OUTPUT = {"print", "open", "input"}


def dotted(node: ast.expr) -> str:
    """`torch.rand` of the expression torch.rand; what is not a name is left as `?`."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def calls(source: str) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def imported(source: str) -> set[str]:
    """Modules named by import statements anywhere in the source, with what is taken from them."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{'.' * node.level}{node.module or ''}"}
            names |= {f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names}
    return names


def global_draws(source: str) -> list[str]:
    """Calls that draw from, or set, a generator that nobody handed in."""
    found = []
    for call in calls(source):
        name, last = dotted(call.func), dotted(call.func).rpartition(".")[2]
        explicit = any(word.arg in ("generator", None) for word in call.keywords)
        if (
            (name.startswith("torch.") and last in TORCH_DRAWS | HIDDEN_DRAWS and not explicit)
            or (last in IN_PLACE_DRAWS and not explicit)
            or (last in HIDDEN_DRAWS and name.startswith(("nn.", "F.", "functional.", "Dropout", "dropout")))
            or (name.startswith(("np.random.", "numpy.random.")) and last not in ("default_rng", "Generator"))
            or (last == "default_rng" and not (call.args or call.keywords))
        ):
            found.append(f"line {call.lineno}: {name}")
    hidden = {"random", "torch.distributions"} & {".".join(name.split(".")[:2]) for name in imported(source)}
    return found + [f"import {name}" for name in sorted(hidden | ({"random"} & imported(source)))]


def input_and_output(source: str) -> list[str]:
    """Calls that print, read or write."""
    return [f"line {c.lineno}: {dotted(c.func)}" for c in calls(source) if dotted(c.func) in INPUT_AND_OUTPUT]
