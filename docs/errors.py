"""Writes errors.rst: every message of the library, and what the tests do to get it."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

Row = tuple[str, ...]

RAISED = {
    "ValueError",
    "TypeError",
    "NotFittedError",
    "AttributeError",
    "ImportError",
    "RuntimeError",
    "UserWarning",
}

INTRODUCTION = """\
Errors
======

Search this page for some words of the message you got. A message names the parameter, what was
given, what is accepted and, where there is one, the call that mends it; in angle brackets stands
what differs from case to case. After a ``fit`` that raises, the estimator is as it was before.

Messages that are not here come from scikit-learn, Keras or NumPy.

.. contents::
   :local:
   :depth: 1
"""


def write(root: Path, page: Path) -> None:
    """Write the page, if it would differ from what is there.

    Parameters
    ----------
    root : Path
        Of the checkout.
    page : Path
    """
    text = INTRODUCTION + _messages(root / "skimb") + _cases(root / "tests")
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def _messages(package: Path) -> str:
    text = _heading("The messages") + (
        "In the order of the modules they come from. A ``UserWarning`` is not an error: the work "
        "goes on. Of ways to go on that are separated by a slash, a message has one.\n\n"
    )
    trees = {
        path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(package.rglob("*.py"))
    }
    functions = _functions(trees.values())
    makers = {name: made for name, function in functions.items() if (made := _made(function))}
    for path, tree in trees.items():
        found = dict.fromkeys(_raised(tree, functions, makers))
        if not found:
            continue
        name = ".".join(path.relative_to(package.parent).with_suffix("").parts)
        text += f".. rubric:: {name.removesuffix('.__init__')}\n\n"
        text += _table(("Error", "Message"), (18, 82), found)
    return text


def _functions(trees: Iterable[ast.AST]) -> dict[str, ast.FunctionDef]:
    """Return the functions whose names are theirs alone, so that a call says which is meant."""
    found: dict[str, list[ast.FunctionDef]] = {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(node)
    return {name: nodes[0] for name, nodes in found.items() if len(nodes) == 1}


def _raised(
    tree: ast.AST, functions: dict[str, ast.FunctionDef], makers: dict[str, ast.Call]
) -> Iterator[Row]:
    """Yield the kinds and the messages of the errors and warnings that a module makes.

    Whether it raises an error, or returns it for others to raise, it is made by a call.
    """
    within = {call for name in makers for call in ast.walk(functions[name])}
    for node, local in sorted(_calls(tree, {}), key=lambda found: found[0].lineno):
        name = ast.unparse(node.func)
        if name in makers:  # with the words that it is called with
            parameters = [argument.arg for argument in functions[name].args.args]
            given = {p: [value] for p, value in zip(parameters, node.args, strict=False)}
            node, local = makers[name], {**_assigned(functions[name]), **given}
        elif node in within:
            continue
        kind = ast.unparse(node.func)
        kind = "UserWarning" if kind == "warnings.warn" else kind
        if kind in RAISED and node.args:
            message = _Template(local, functions).text(node.args[0])
            if message:
                yield kind, " ".join(message.split())


def _made(function: ast.FunctionDef) -> ast.Call | None:
    """Return the error that a function makes for others to raise."""
    for node in ast.walk(function):
        made = node.value if isinstance(node, ast.Return) else None
        if isinstance(made, ast.Call) and ast.unparse(made.func) in RAISED:
            return made
    return None


def _calls(
    tree: ast.AST, local: dict[str, list[ast.expr]]
) -> Iterator[tuple[ast.Call, dict[str, list[ast.expr]]]]:
    """Yield every call, with what the function that it stands in assigns to names."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield node, local
        own = _assigned(node) if isinstance(node, ast.FunctionDef) else local
        yield from _calls(node, own)


def _assigned(function: ast.FunctionDef) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(node.value)
    return found


class _Template:
    """Reads expressions of strings, with what differs from case to case in angle brackets."""

    def __init__(
        self,
        local: dict[str, list[ast.expr]],
        functions: dict[str, ast.FunctionDef],
        depth: int = 0,
    ) -> None:
        self.local = local
        self.functions = functions
        self.depth = depth  # of functions that call each other

    def text(self, node: ast.expr) -> str:
        """Return the text of a string, as far as it is known; empty where it is not."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else ""
        if isinstance(node, ast.JoinedStr):
            return "".join(self.text(part) for part in node.values)
        if isinstance(node, ast.BinOp):
            return self.text(node.left) + self.text(node.right)
        if isinstance(node, ast.IfExp):
            return self._one_of([node.body, node.orelse])
        if isinstance(node, ast.FormattedValue):
            said = self.text(node.value)
            # a word or two that are computed are a value rather than a part of the sentence
            return said if len(said.split()) > 1 else self._name(node.value)
        if isinstance(node, ast.Name):
            others = {name: nodes for name, nodes in self.local.items() if name != node.id}
            inside = _Template(others, self.functions, self.depth)
            return inside._one_of(self.local.get(node.id, []))
        if isinstance(node, ast.Call):
            return self._returned(node)
        return ""

    def _one_of(self, nodes: list[ast.expr]) -> str:
        return " / ".join(dict.fromkeys(filter(None, map(self.text, nodes))))

    def _returned(self, call: ast.Call) -> str:
        """Return what a function of the library says, such as the likely cause of an error."""
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ast.unparse(call.func)
        function = self.functions.get(name)
        if function is None or self.depth >= 6:
            return ""
        inside = _Template(_assigned(function), self.functions, self.depth + 1)
        returns = [node for node in ast.walk(function) if isinstance(node, ast.Return)]
        returns.sort(key=lambda node: node.lineno)
        return inside._one_of([node.value for node in returns if node.value is not None])

    def _name(self, value: ast.expr) -> str:
        names = [
            part.attr if isinstance(part, ast.Attribute) else part.id
            for part in ast.walk(value)
            if isinstance(part, (ast.Attribute, ast.Name))
        ]
        named = isinstance(value, (ast.Attribute, ast.Name)) and names[0] != "__name__"
        return f"⟨{names[0].strip('_')}⟩" if named else "⟨…⟩"


def _cases(tests: Path) -> str:
    text = _heading("What provokes them") + (
        "Cases that the tests hold to: words of the message, where … stands for anything, what was "
        "wrong, and the name of the test.\n\n"
    )
    for path in sorted(tests.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = dict.fromkeys(
            case
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef) and function.name.startswith("test_")
            for case in _provoked(function, _tables(tree))
        )
        if found:
            parts = [*path.relative_to(tests).parts[:-1], path.stem.removeprefix("test_")]
            title = ": ".join(dict.fromkeys(parts)).replace("_", " ").capitalize()
            text += f".. rubric:: {title}\n\n"
            text += _table(("Words of the message", "What was wrong", "Test"), (35, 30, 35), found)
    return text


def _tables(tree: ast.Module) -> dict[str, ast.expr]:
    """Return what a test module assigns to names at its top."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _provoked(function: ast.FunctionDef, tables: dict[str, ast.expr]) -> Iterator[Row]:
    """Yield the words of each message that a test expects, the case, and what the test says."""
    sentence = function.name.removeprefix("test_").replace("_", " ")
    sentence = sentence[:1].upper() + sentence[1:]
    rows = list(_parametrised(function, tables)) or [({}, "")]
    blocks = {
        item.context_expr: "; ".join(map(ast.unparse, node.body))
        for node in ast.walk(function)
        if isinstance(node, ast.With)
        for item in node.items
    }
    for call in ast.walk(function):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func).startswith("pytest.")):
            continue
        if not re.search("Error|UserWarning|error", ast.unparse(call)):
            continue
        for keyword in call.keywords:
            if keyword.arg != "match":
                continue
            used = {n.id for n in ast.walk(keyword.value) if isinstance(n, ast.Name)}
            for values, label in rows if used & {*rows[0][0]} else [({}, "")]:
                words = _words(_pattern(keyword.value, values))
                if len(words) >= 6:
                    yield words, label or _shortened(blocks.get(call, "")), sentence


def _parametrised(
    function: ast.FunctionDef, tables: dict[str, ast.expr]
) -> Iterator[tuple[dict[str, ast.expr], str]]:
    """Yield the values of a test's parameters, and what tells its cases apart."""
    for decorator in function.decorator_list:
        if not ast.unparse(decorator).startswith("pytest.mark.parametrize("):
            continue
        assert isinstance(decorator, ast.Call)
        names = [node.value for node in _items(decorator.args[0]) if isinstance(node, ast.Constant)]
        if len(names) == 1 and "," in names[0]:
            names = [name.strip() for name in names[0].split(",")]
        values = decorator.args[1]
        if isinstance(values, ast.Name):
            values = tables.get(values.id, values)
        if isinstance(values, ast.Dict):
            unpacked = _unpacked(function, names[0])
            for key, row in zip(values.keys, values.values, strict=True):
                found = dict(zip(unpacked, _items(row), strict=False))
                yield {names[0]: key, **found}, _label([key])
        for row in _items(values) if isinstance(values, (ast.List, ast.Tuple)) else ():
            found = dict(zip(names, _items(row) if len(names) > 1 else [row], strict=False))
            yield found, _label([v for n, v in found.items() if n not in ("message", "error")])


def _unpacked(function: ast.FunctionDef, key: str) -> list[str]:
    """Return the names in ``a, b = TABLE[key]``."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and ast.unparse(node.value).endswith(f"[{key}]"):
            return [ast.unparse(name) for name in _items(node.targets[0])]
    return []


def _items(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, (ast.List, ast.Tuple)) else [node]


def _label(values: list[ast.expr]) -> str:
    return _shortened(
        ", ".join(str(v.value) if isinstance(v, ast.Constant) else ast.unparse(v) for v in values)
    )


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 90 else text[:87] + "..."


def _pattern(node: ast.expr, values: dict[str, ast.expr]) -> str:
    """Return the regular expression that an expression stands for, as far as it is known."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_pattern(part, values) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return _pattern(node.value, values)
    if isinstance(node, ast.Name) and node.id in values:
        return _pattern(values[node.id], {})
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "next":
        first = values.get(ast.unparse(node).removeprefix("next(iter(").removesuffix("))"))
        if isinstance(first, ast.Dict) and first.keys[0] is not None:
            return _pattern(first.keys[0], {})
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.escape":
        return re.escape(_pattern(node.args[0], values))
    return ".*"


def _words(pattern: str) -> str:
    """Return a regular expression as a reader would write it."""
    pattern = re.sub(r"\(\?s\)|(?<!\\)[\^$]", "", pattern)
    # a choice, in a group or of all, and a group that is none
    ways = re.split(r"(?<!\\)\|", re.sub(r"(?<!\\)\((?:\?:)?([^()\\]*)(?<!\\)\)", r"\1", pattern))
    pattern = " or ".join(way for way in ways if way not in ("", ".*"))
    pattern = re.sub(r"(?<!\\)\.[*+]|\\d\+|\\s\+", " … ", pattern)
    pattern = re.sub(r"\[([A-Z])([a-z])\]", r"\2", pattern)
    pattern = re.sub(r"\\(.)", r"\1", pattern)
    return " ".join(pattern.split()).strip("… ")


def _heading(title: str) -> str:
    return f"\n{title}\n{'-' * len(title)}\n\n"


def _table(header: Row, widths: tuple[int, ...], rows: Iterable[Row]) -> str:
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        f"   :widths: {' '.join(map(str, widths))}",
        "",
    ]
    for row in (header, *rows):
        leads = ["   * -", *["     -"] * (len(row) - 1)]
        lines += [f"{lead} {_escaped(cell)}" for lead, cell in zip(leads, row, strict=True)]
    return "\n".join(lines) + "\n\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_|])", r"\\\1", text)
