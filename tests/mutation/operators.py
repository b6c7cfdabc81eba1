"""Small mistakes, made one at a time in every place of a source file where they can be made."""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """function: where the mistake is (Class.method for methods); change: what became what, and of what it is part;
    source: the whole file."""

    function: str
    change: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """Every mutant of every function and method in a file, each different from the others.

    Left alone are docstrings, annotations, default values, and what a `raise` says.
    """
    tree = ast.parse(source)
    seen: set[str] = set()
    for function, body in _functions(tree):
        for whole, node in _nodes(body):
            for replacement in _replacements(node):
                changed = _replace(tree, node, replacement)
                if changed not in seen:
                    seen.add(changed)
                    place = f"  in  {_head(whole)}" if isinstance(node, ast.Constant) else ""
                    yield Mutant(function, f"{_text(node)}  ->  {_text(replacement)}{place}", changed)


def _functions(tree: ast.Module) -> Iterator[tuple[str, list[ast.stmt]]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node.body
        elif isinstance(node, ast.ClassDef):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name not in ("extra_repr", "__repr__"):
                    yield f"{node.name}.{part.name}", part.body


def _nodes(body: list[ast.stmt]) -> Iterator[tuple[ast.stmt, ast.AST]]:
    """Every node of a function's body that may be changed, behind the innermost statement that it belongs to."""
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        yield from _below(statement, statement)


def _below(statement: ast.stmt, node: ast.AST) -> Iterator[tuple[ast.stmt, ast.AST]]:
    if isinstance(node, ast.Raise):
        return
    if isinstance(node, ast.stmt):
        statement = node
    yield statement, node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _below(statement, child)


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


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    """What may stand in a node's place."""
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
        case ast.AugAssign(target, op, value):
            yield ast.Assign([target], value, lineno=0)  # = for +=
            for other in ARITHMETIC.get(type(op), []):
                yield ast.AugAssign(target, other(), value)
            yield ast.Pass()
        case ast.Compare(left, [op], right):
            for comparison in COMPARISONS.get(type(op), []):
                yield ast.Compare(left, [comparison()], right)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.And() if isinstance(op, ast.Or) else ast.Or(), values)
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
        case ast.Return(ast.expr() as value):
            for changed in _spoiled(value):
                yield ast.Return(changed)


def _spoiled(value: ast.expr) -> Iterator[ast.expr]:
    """A result with a wrong sign, factor, offset or order."""
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


def _replace(tree: ast.Module, node: ast.AST, replacement: ast.AST) -> str:
    """The source with `replacement` where `node` stands."""
    memo: dict[int, ast.AST] = {id(node): copy.deepcopy(replacement)}  # the copy of `node` is the replacement
    changed = copy.deepcopy(tree, memo)
    return ast.unparse(ast.fix_missing_locations(changed))


def _text(node: ast.AST) -> str:
    """One line of source."""
    return _short(" ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split()))


def _head(statement: ast.stmt) -> str:
    """The first line of a statement."""
    return _short(ast.unparse(statement).splitlines()[0])


def _short(text: str) -> str:
    return text if len(text) <= 90 else text[:87] + "..."
