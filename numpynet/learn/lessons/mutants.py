"""Small mistakes, made one at a time in every place of a source file where they can be made."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Mutant:
    """One mistake: `change` says what became what, and for a constant of which statement it is part.

    line: of the file; place: the field of a syntax tree that holds `replacement` instead.
    """

    change: str
    line: int
    place: tuple[Any, Any] = field(repr=False)
    replacement: ast.AST = field(repr=False)

    def apply(self) -> None:
        """Put the mistake into the tree that `mutants` was given."""
        _put(self.place, self.replacement)


def mutants(tree: ast.Module, name: str) -> Iterator[Mutant]:
    """Every mutant of one function or method of a file, each different from the others.

    Left alone are docstrings, annotations, default values, decorators, and what a `raise` says.
    """
    function = functions(tree)[name]
    seen = {ast.unparse(function)}
    truth = function.returns is not None and ast.unparse(function.returns).startswith(("bool", "TypeGuard", "TypeIs"))
    left_to_numpy = _sizes_left_to_numpy(function)
    for whole, place, node in _nodes(function):
        if id(node) in left_to_numpy:
            continue
        for replacement in _replacements(node, truth):
            ast.copy_location(replacement, node)
            ast.fix_missing_locations(replacement)
            where = f"  in  {_head(whole)}" if isinstance(node, ast.Constant) else ""
            change = f"{_text(node)}  ->  {_text(replacement)}{where}"
            _put(place, replacement)
            changed = ast.unparse(function)
            _put(place, node)
            if changed not in seen:
                seen.add(changed)
                yield Mutant(change, getattr(node, "lineno", whole.lineno), place, replacement)


def functions(tree: ast.Module) -> dict[str, Function]:
    """The functions and methods of a file by their qualified names, a setter's behind its property's with `.setter`.

    Functions within functions belong to the outer one.
    """
    found: dict[str, Function] = {}

    def look(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, Function):
                name = prefix + node.name
                found[f"{name}.setter" if name in found else name] = node
            elif isinstance(node, ast.ClassDef):
                look(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.If | ast.Try | ast.With):
                look([*node.body, *getattr(node, "orelse", [])], prefix)

    look(tree.body, "")
    return found


def code_of(tree: ast.Module, path: str, function: Function) -> CodeType:
    """What the function, one of the tree's, compiles to."""
    line = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    codes = [compile(tree, path, "exec", dont_inherit=True)]
    for code in codes:
        if code.co_name == function.name and code.co_firstlineno == line:
            return code
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    raise LookupError(f"{path} has no function {function.name} at line {line}")


def _sizes_left_to_numpy(function: Function) -> set[int]:
    """The 1 of every -1 in a call of `reshape`: -2 means the same."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    sizes = [arg for call in calls if _text(call.func).endswith(".reshape") for arg in call.args]
    return {id(size.operand) for size in sizes if isinstance(size, ast.UnaryOp) and ast.unparse(size) == "-1"}


def _put(place: tuple[Any, Any], node: ast.AST) -> None:
    holder, key = place
    if isinstance(holder, list):
        holder[key] = node
    else:
        setattr(holder, key, node)


Place = tuple[Any, Any]


def _nodes(function: Function) -> Iterator[tuple[ast.stmt, Place, ast.AST]]:
    """Every node of a function's body that may be changed, with the innermost statement around it and its place."""
    for i, statement in enumerate(function.body):
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        yield from _below(statement, (function.body, i), statement)


def _below(statement: ast.stmt, place: Place, node: ast.AST) -> Iterator[tuple[ast.stmt, Place, ast.AST]]:
    if isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.stmt):
        statement = node
    yield statement, place, node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment", "decorator_list"):
            continue
        if isinstance(value, list):
            for i, child in enumerate(value):
                if isinstance(child, ast.AST):
                    yield from _below(statement, (value, i), child)
        elif isinstance(value, ast.AST):
            yield from _below(statement, (node, name), value)


ARITHMETIC: dict[type[ast.operator], list[type[ast.operator]]] = {
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div, ast.Add],
    ast.Div: [ast.Mult],
    ast.FloorDiv: [ast.Mult],
    ast.Pow: [ast.Mult],
    ast.BitOr: [ast.BitAnd],
}
COMPARISONS: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.Gt],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.Lt],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
CALLS = {
    "sum": "mean",
    "mean": "sum",
    "maximum": "minimum",
    "square": "abs",
    "sqrt": "square",
    "zeros_like": "ones_like",
}
CALLS |= {"zeros": "ones", "sign": "abs", "abs": "negative", "clip": "where_it_is"}


def _replacements(node: ast.AST, truth: bool) -> Iterator[ast.AST]:
    """What may stand in a node's place; truth: in a function that answers a question."""
    match node:
        case ast.BinOp(left, op, right):
            yield left  # a term or a factor is dropped
            yield right
            for other in ARITHMETIC.get(type(op), []):
                yield ast.BinOp(left, other(), right)
            if isinstance(op, ast.MatMult):
                yield ast.BinOp(left, op, ast.Attribute(right, "T", ast.Load()))
            if isinstance(op, ast.Div):  # N - 1 for N
                yield ast.BinOp(left, op, ast.BinOp(right, ast.Sub(), ast.Constant(1)))
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
        case ast.AugAssign(target, op, value):
            yield ast.Assign([target], value, lineno=0)  # = for +=
            for other in ARITHMETIC.get(type(op), []):
                yield ast.AugAssign(target, other(), value)
            yield ast.Pass()
        case ast.Compare(left, [op], right):
            for comparison in COMPARISONS.get(type(op), []):
                yield ast.Compare(left, [comparison()], right)
        case ast.IfExp(_, body, orelse):
            yield body
            yield orelse
        case ast.If(_, body, orelse):
            yield ast.If(ast.Constant(False), body, orelse)
        case ast.Constant(bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(int(number) | float(number)):
            yield ast.Constant(number + 1)
            if number:
                yield ast.Constant(number - 1)
        case ast.Attribute(value, "T"):
            yield value
        case ast.Call(ast.Attribute(value, name), arguments, keywords) if name in CALLS:
            if name == "clip":
                yield arguments[0]
            else:
                yield ast.Call(ast.Attribute(value, CALLS[name], ast.Load()), arguments, keywords)
        case ast.Call(ast.Attribute(_, "transpose" | "reshape"), _, _):
            yield node.func.value  # type: ignore[attr-defined]
        case ast.Expr(ast.Call()):
            yield ast.Pass()
        case ast.Return(ast.Tuple(elements)):
            for i, element in enumerate(elements):
                for changed in _spoiled(element):
                    yield ast.Return(ast.Tuple([*elements[:i], changed, *elements[i + 1 :]], ast.Load()))
        case ast.Return(ast.expr() as value) if truth:
            yield ast.Return(ast.UnaryOp(ast.Not(), value))
        case ast.Return(ast.expr() as value):
            for changed in _spoiled(value):
                yield ast.Return(changed)


def _spoiled(value: ast.expr) -> Iterator[ast.expr]:
    """A result with a wrong sign, factor, offset or order."""
    if isinstance(value, ast.Starred):  # -*sizes would be no Python
        yield from (ast.Starred(changed, ast.Load()) for changed in _spoiled(value.value))
        return
    if isinstance(value, ast.Constant | ast.Call) and not _looks_like_array(value):
        return
    yield ast.UnaryOp(ast.USub(), value)
    yield ast.BinOp(ast.Constant(2), ast.Mult(), value)
    yield ast.BinOp(ast.Constant(0), ast.Mult(), value)
    yield ast.BinOp(value, ast.Add(), ast.Constant(1))
    backwards = ast.Slice(None, None, ast.UnaryOp(ast.USub(), ast.Constant(1)))
    yield ast.Subscript(value, backwards, ast.Load())
    yield ast.Subscript(value, ast.Tuple([ast.Constant(...), backwards], ast.Load()), ast.Load())
    yield ast.BinOp(value, ast.Div(), ast.Constant(2))
    swapped = ast.Attribute(value, "swapaxes", ast.Load())
    axes: list[ast.expr] = [ast.UnaryOp(ast.USub(), ast.Constant(1)), ast.UnaryOp(ast.USub(), ast.Constant(2))]
    yield ast.Call(swapped, axes, [])


def _looks_like_array(value: ast.expr) -> bool:
    """Whether a returned call gives an array, and not a cache or a list."""
    name = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
    return isinstance(value, ast.Call) and not name.endswith("Cache") and name not in ("list", "dict", "cls")


def _text(node: ast.AST) -> str:
    """One line of source."""
    return _short(" ".join(ast.unparse(node).split()))


def _head(statement: ast.stmt) -> str:
    """The first line of a statement."""
    return _short(ast.unparse(statement).splitlines()[0])


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "..."
