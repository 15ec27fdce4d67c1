"""Operations in an optimised program, counted from XLA's text of it.

XLA's own `cost_analysis()` counts the body of a loop once; here it counts as often as XLA knows that it runs. One
operation is one element of an element-wise instruction, arithmetic or not, a sine as an addition; a matrix product of
[m, k] and [k, n] is 2 m k n of them. Of branches the dearest counts. What depends on data counts as nothing: loops
whose turns XLA does not know, and sorting. The count is thus from below.
"""

import dataclasses
import math
import re

_NAMES = (
    "abs add and atan2 cbrt ceil clamp compare convert cosine count-leading-zeros divide erf exponential "
    "exponential-minus-one floor is-finite log log-plus-one logistic maximum minimum multiply negate not or popcnt "
    "power remainder round-nearest-afz round-nearest-even rsqrt select shift-left shift-right-arithmetic shift- "
    "right-logical sign sine sqrt subtract tan tanh xor"
)
ELEMENTWISE = frozenset(_NAMES.split())
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.+?) ([a-z][\w\-]*)\(([^)]*)\)(.*)$")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_TURNS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')


@dataclasses.dataclass(frozen=True)
class Count:
    """What was found in a program."""

    operations: float
    unknown_loops: int  # in the text, each counted as nothing
    foreign_calls: tuple[str, ...]  # into which nobody can look, counted as nothing


def count(text):
    """The Count of `compiled.as_text()`."""
    computations, entry = _parsed(text)
    program = _Program(computations)
    operations = program.of(entry)
    return Count(operations, program.unknown_loops, tuple(sorted(program.foreign_calls)))


def _parsed(text):
    """name -> instructions (name, type, opcode, operands, attributes), and the name of the first to run."""
    computations, entry, current = {}, None, None
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            current = computations.setdefault(head[2], [])
            entry = head[2] if head[1] else entry
        elif current is not None and (found := _INSTRUCTION.match(line)):
            name, kind, opcode, operands, attributes = found.groups()
            current.append((name, kind, opcode, re.findall(r"%([\w.\-]+)", operands), attributes))
    if entry is None:
        raise ValueError("the text has no ENTRY computation; expected that of an optimised XLA program")
    return computations, entry


def _shape(kind):
    """Of the first array of a type."""
    dims = re.search(r"\[([\d,]*)\]", kind)[1]
    return [int(size) for size in dims.split(",") if size]


class _Program:
    def __init__(self, computations):
        self.computations, self.known = computations, {}
        self.unknown_loops, self.foreign_calls = 0, set()

    def of(self, name):
        """Operations of one computation, with what it calls."""
        if name not in self.known:
            kinds = {own: kind for own, kind, *_ in self.computations[name]}
            self.known[name] = sum(self._one(kinds, *parts[1:]) for parts in self.computations[name])
        return self.known[name]

    def _one(self, kinds, kind, opcode, operands, attributes):
        shapes = [_shape(kinds[name]) if "[" in kinds.get(name, "") else [] for name in operands]
        called = sum(self.of(name) for name in _CALLED.findall(attributes)) if opcode not in ("while", "sort") else 0
        if opcode in ELEMENTWISE:
            return math.prod(_shape(kind))
        if opcode == "dot":
            over = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", attributes)
            summed = math.prod(shapes[0][int(axis)] for axis in over[1].split(",") if axis) if over else 1
            return 2 * math.prod(_shape(kind)) * summed
        if opcode == "reduce":
            return (math.prod(shapes[0]) - math.prod(_shape(kind))) * called
        if opcode == "reduce-window":
            window = re.search(r"size=([\dx]+)", attributes)[1].split("x")
            return math.prod(_shape(kind)) * (math.prod(map(int, window)) - 1) * called
        if opcode == "scatter":
            return math.prod(shapes[-1]) * called
        if opcode == "map":
            return math.prod(_shape(kind)) * called
        if opcode == "while":
            return self._loop(attributes)
        if opcode == "conditional":
            listed = _BRANCHES.search(attributes)
            branches = re.findall(r"%?([\w.\-]+)", listed[1]) if listed else _CALLED.findall(attributes)
            return max(map(self.of, branches))
        if opcode == "custom-call":
            self.foreign_calls.add(re.search(r'custom_call_target="([^"]*)"', attributes)[1])
        return called if opcode in ("fusion", "call") else 0

    def _loop(self, attributes):
        turns = _TURNS.search(attributes)
        if turns is None:
            self.unknown_loops += 1
            return 0
        return int(turns[1]) * sum(map(self.of, _CALLED.findall(attributes)))
