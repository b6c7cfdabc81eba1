"""Arithmetic on the lanes of a vector register, as code that Numba compiles.

Numba turns a loop into vector instructions if it can prove that this is safe. For two kinds of loop it cannot: a
product of matrices that keeps its sums in registers, and a transform that holds 36 vectors at once. So these are
written for vectors: a `Lanes` stands for a vector while the code is made, and + - * write an instruction each.
"""

import math
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import types
from numba.core import cgutils

_features = llvmlite.binding.get_host_cpu_features()
VECTOR_BYTES = 64 if _features.get("avx512f") else 32 if _features.get("avx2") else 16
"""Bytes per vector register of this processor."""

_NAMES = {ir.FloatType(): "f32", ir.DoubleType(): "f64", ir.IntType(8): "i8"}
_INT = ir.IntType(64)
_INT32 = ir.IntType(32)


class Lanes:
    """A vector of numbers. `builder` writes the instructions."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fadd", other)

    def __sub__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fsub", other)

    def __mul__(self, other: "Lanes | float") -> "Lanes":
        return self._compute("fmul", other)

    __rmul__ = __mul__

    def times_plus(self, factor: "Lanes", term: "Lanes") -> "Lanes":
        """self factor + term, rounded in the same way wherever it stands."""
        kind = ir.FunctionType(self.value.type, [self.value.type] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.fmuladd.{suffix(self.value.type)}")
        return Lanes(self.builder, self.builder.call(function, [self.value, factor.value, term.value]))

    def wide(self) -> "Lanes":
        """In float64."""
        kind = ir.VectorType(ir.DoubleType(), self.value.type.count)
        return self if self.value.type == kind else Lanes(self.builder, self.builder.fpext(self.value, kind))

    def exp(self) -> "Lanes":
        """e to this power, where it is at most 0 or NaN; 0 where that would be below the smallest normal number.

        With n = round(x / ln 2): exp(x) = 2^n exp(x - n ln 2). The second factor is a Taylor sum: |x - n ln 2| < 0.35.
        """
        kind = self.value.type
        single = kind.element == ir.FloatType()
        degree, shift, bias = (7, 23, 127) if single else (13, 52, 1023)
        tiny = self.at_most((1 - bias) * math.log(2))
        x = self.at_most(0).choose(tiny.choose(0, self), 0)
        n = (x * (1 / math.log(2)))._nearest()
        # ln 2 in two parts, the first with so few digits that its product with n is exact.
        high = 0.693359375 if single else float.fromhex("0x1.62e42fee00000p-1")
        low = -2.12194440054690583e-4 if single else float.fromhex("0x1.a39ef35793c76p-33")
        rest = n.times_plus(self._same(-low), n.times_plus(self._same(-high), x))
        total = self._same(1 / math.factorial(degree))
        for k in range(degree - 1, -1, -1):
            total = total.times_plus(rest, self._same(1 / math.factorial(k)))
        whole = ir.VectorType(ir.IntType(32 if single else 64), kind.count)
        exponent = self.builder.add(self.builder.fptosi(n.value, whole), ir.Constant(whole, [bias] * kind.count))
        power = self.builder.bitcast(self.builder.shl(exponent, ir.Constant(whole, [shift] * kind.count)), kind)
        return self.at_most(0).choose(tiny.choose(0, total * Lanes(self.builder, power)), self)

    def at_most(self, number: float) -> "Mask":
        """Where it is at most the number; not where it is NaN."""
        return Mask(self.builder, self.builder.fcmp_ordered("<=", self.value, self._same(number).value))

    def more_or_nan(self, other: "Lanes") -> "Mask":
        """Where it is larger than the other, or NaN."""
        larger = self.builder.fcmp_ordered(">", self.value, other.value)
        return Mask(self.builder, self.builder.or_(larger, self.builder.fcmp_unordered("uno", self.value, self.value)))

    def equals(self, number: float) -> "Mask":
        """Where it is this number; for a vector of whole numbers, a whole one."""
        compare = (
            self.builder.icmp_signed if isinstance(self.value.type.element, ir.IntType) else self.builder.fcmp_ordered
        )
        return Mask(self.builder, compare("==", self.value, constant(self.value.type, number)))

    def _nearest(self) -> "Lanes":
        """Rounded to a whole number."""
        kind = ir.FunctionType(self.value.type, [self.value.type])
        function = cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.rint.{suffix(self.value.type)}")
        return Lanes(self.builder, self.builder.call(function, [self.value]))

    def _same(self, other: "Lanes | float") -> "Lanes":
        return other if isinstance(other, Lanes) else Lanes(self.builder, constant(self.value.type, other))

    def _compute(self, operation: str, other: "Lanes | float") -> "Lanes":
        """`contract` lets a product and a sum become one instruction that rounds once."""
        compute = getattr(self.builder, operation)
        return Lanes(self.builder, compute(self.value, self._same(other).value, flags=("contract",)))


class Mask:
    """A condition for each lane."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def choose(self, yes: Lanes | float, no: Lanes | float) -> Lanes:
        """`yes` where the condition holds, `no` elsewhere; one of them must be a vector."""
        kind = next(one for one in (yes, no) if isinstance(one, Lanes))
        return Lanes(self.builder, self.builder.select(self.value, kind._same(yes).value, kind._same(no).value))


def vector_type(array: Any) -> Any:
    """The vector of an array type's numbers that fills a register."""
    element, size = (ir.FloatType(), 4) if array.dtype == types.float32 else (ir.DoubleType(), 8)
    return ir.VectorType(element, VECTOR_BYTES // size)


def constant(vector: Any, number: float) -> Any:
    """The number in every lane."""
    number = int(number) if isinstance(vector.element, ir.IntType) else float(number)
    return ir.Constant(vector, [ir.Constant(vector.element, number)] * vector.count)


def broadcast(builder: Any, number: Any, vector: Any) -> Any:
    """A number that is known when the code runs, in every lane."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, vector.count), None))


def mask_of(builder: Any, count: Any, vector: Any) -> Any:
    """Which lanes are among the first `count`."""
    numbers = ir.VectorType(_INT, vector.count)
    every = broadcast(builder, count, numbers)
    return builder.icmp_signed("<", ir.Constant(numbers, [_INT(lane) for lane in range(vector.count)]), every)


def load(builder: Any, pointer: Any, vector: Any, mask: Any = None) -> Any:
    """The vector that begins at the pointer; lanes outside of the mask are 0, and their memory is not read."""
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _alignment(vector)
    if mask is None:
        value = builder.load(pointer)
        value.align = align
        return value
    kind = ir.FunctionType(vector, [pointer.type, _INT32, mask.type, vector])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.load.{suffix(vector)}.p0")
    return builder.call(function, [pointer, _INT32(align), mask, constant(vector, 0)])


def store(builder: Any, value: Any, pointer: Any, mask: Any = None) -> None:
    """Write the vector to the memory that begins at the pointer; lanes outside of the mask are not written."""
    vector = value.type
    pointer, align = builder.bitcast(pointer, vector.as_pointer()), _alignment(vector)
    if mask is None:
        builder.store(value, pointer).align = align
        return
    kind = ir.FunctionType(ir.VoidType(), [vector, pointer.type, _INT32, mask.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.masked.store.{suffix(vector)}.p0")
    builder.call(function, [value, pointer, _INT32(align), mask])


def gather(builder: Any, pointer: Any, step: Any, vector: Any, count: Any = None) -> Any:
    """The vector of the numbers at pointer, pointer + step, ...; those after the first `count` repeat the last one."""
    value = ir.Constant(vector, ir.Undefined)
    for lane in range(vector.count):
        address = builder.gep(pointer, [builder.mul(_lane_among(builder, lane, count), step)])
        value = builder.insert_element(value, builder.load(address), _INT32(lane))
    return value


def scatter(builder: Any, value: Any, pointer: Any, step: Any, count: Any = None) -> None:
    """Write the vector to pointer, pointer + step, ...: all of it, or the first `count` numbers."""
    for lane in range(value.type.count):
        number = _lane_among(builder, lane, count)
        builder.store(builder.extract_element(value, number), builder.gep(pointer, [builder.mul(number, step)]))


def _lane_among(builder: Any, lane: int, count: Any) -> Any:
    """The lane's number, or that of the last of the first `count` lanes if it is none of them."""
    number = _INT(lane)
    if count is None:
        return number
    return builder.select(builder.icmp_signed("<", number, count), number, builder.sub(count, _INT(1)))


def suffix(vector: Any) -> str:
    """The vector's type in the name of one of LLVM's functions."""
    return f"v{vector.count}{_NAMES[vector.element]}"


def pointer_to(context: Any, builder: Any, array: Any, value: Any, offset: Any) -> Any:
    """The address of number `offset` of an array's memory."""
    return builder.gep(context.make_array(array)(context, builder, value).data, [offset])


def place(builder: Any, pointer: Any, *steps: tuple[Any, int]) -> Any:
    """The address `times * stride` numbers further on, for each (stride, times)."""
    for stride, times in steps:
        pointer = builder.gep(pointer, [builder.mul(stride, _INT(times))])
    return pointer


def _alignment(vector: Any) -> int:
    return {"f32": 4, "f64": 8, "i8": 1}[_NAMES[vector.element]]
