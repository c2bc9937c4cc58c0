"""Deliberate faults in a source file, each a replacement of one piece of its text.

Left out, since no behavior changes or a test could only repeat the source: strings,
docstrings, annotations, imports, decorators, the message of an error, what is printed
or logged, how much is done at once, the names of layers, `strict=` of zip, default
values of arguments, presets, `dtype=`, which only matters with mixed precision, and
dropped `training=` and `encoding=`, which Keras and the system fill in.
"""

import ast
import dataclasses
import random

OPERATORS = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "//",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
COMPARISONS = {
    ast.Lt: "<=",
    ast.LtE: "<",
    ast.Gt: ">=",
    ast.GtE: ">",
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Is: "is not",
    ast.IsNot: "is",
    ast.In: "not in",
    ast.NotIn: "in",
}
PAIRS = (
    ("max", "min"),
    ("maximum", "minimum"),
    ("mean", "sum"),
    ("any", "all"),
    ("argmax", "argmin"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("floor", "ceil"),
    ("logical_and", "logical_or"),
    ("relu", "tanh"),
    ("sigmoid", "tanh"),
    ("sin", "cos"),
    ("startswith", "endswith"),
)
OTHER = {a: b for pair in PAIRS for a, b in (pair, pair[::-1])}
# Without one of these calls a value has another type and the same content.
CONVERSIONS = frozenset(
    "asarray bool convert_to_numpy convert_to_tensor enumerate float frozenset int iter"
    " isinstance len list map range reduce str super tuple zip".split()
)
QUIET_KEYWORDS = frozenset("name strict dtype shape".split())
DEFAULTS = frozenset(["training", "encoding"])  # filled in by Keras and the system
QUIET_CALLS = frozenset("print warn warning info debug".split())
# How much is done at once: a matter of speed alone.
AT_ONCE = frozenset(["_AT_ONCE", "_BATCH", "_CHUNK", "_FEW", "_ROWS", "_THREADS"])
# The order of their arguments means nothing.
COMMUTATIVE = frozenset(
    "add hypot logical_and logical_or max maximum min minimum multiply".split()
)
STRIPPED = frozenset("strip lower upper casefold".split())


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A fault: the bytes from `start` to `end` of a file become `text`."""

    path: str
    function: str  # the innermost one around the fault; "" at the top of the file
    kind: str
    line: int
    old: str  # the lines around it
    new: str
    start: int
    end: int
    text: str

    @property
    def key(self):
        """What identifies a fault, also after lines were added above it."""
        return f"{self.path}:{self.function}: {self.old} -> {self.new}"


def mutants_of(path: str, source: bytes) -> list[Mutant]:
    """All faults of a file, in the order of its lines."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    unique = {mutant.key: mutant for mutant in finder.found}
    return sorted(unique.values(), key=lambda mutant: (mutant.start, mutant.new))


def apply(mutant: Mutant, source: bytes) -> bytes:
    """The source with the fault."""
    return source[: mutant.start] + mutant.text.encode() + source[mutant.end :]


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """Chooses faults evenly over files, and in a file evenly over kinds."""
    rng = random.Random(seed)
    files = {}
    for mutant in mutants:
        files.setdefault(mutant.path, {}).setdefault(mutant.kind, []).append(mutant)
    queues = []
    for path in sorted(files):
        kinds = [
            rng.sample(found, len(found)) for _, found in sorted(files[path].items())
        ]
        queues.append(_in_turn(rng.sample(kinds, len(kinds))))
    return _in_turn(rng.sample(queues, len(queues)))[:count]


def _in_turn(queues):
    """The first of each queue, then the second of each, and so on."""
    longest = max(map(len, queues), default=0)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def _text(node):
    simple = ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.Subscript
    text = ast.unparse(node)
    return text if isinstance(node, simple) else f"({text})"


def _name(function):
    """The last part of the name of a called function."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


class _Finder(ast.NodeVisitor):
    def __init__(self, path, source):
        self.path, self.source = path, source
        self.found, self.functions, self.names = [], [], []
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def emit(self, node, kind, text):
        start = self.starts[node.lineno - 1] + node.col_offset
        end = self.starts[node.end_lineno - 1] + node.end_col_offset
        first, last = self.starts[node.lineno - 1], self.starts[node.end_lineno]
        old = self.source[first:last].decode()
        new = (
            self.source[first:start] + text.encode() + self.source[end:last]
        ).decode()
        old, new = " ".join(old.split()), " ".join(new.split())
        mutated = self.source[:start] + text.encode() + self.source[end:]
        if old == new or self.source[start:end].decode() == text:
            return
        try:
            compile(mutated, self.path, "exec")
        except (SyntaxError, ValueError):
            return
        function = self.functions[-1] if self.functions else ""
        self.found.append(
            Mutant(self.path, function, kind, node.lineno, old, new, start, end, text)
        )

    # Where faults are not looked for.

    def visit_FunctionDef(self, node):
        self.functions.append(node.name)
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        bound = {a.arg: ("argument", 0) for a in arguments if a.arg != "self"}
        inner = {
            id(name)
            for child in ast.walk(node)
            if isinstance(child, ast.comprehension)
            for name in ast.walk(child.target)
        }
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                if id(child) not in inner:
                    bound.setdefault(child.id, ("local", child.lineno))
        self.names.append(bound)
        for statement in node.body:
            self.visit(statement)
        self.names.pop()
        self.functions.pop()

    def _visit_comprehension(self, node):
        targets = [n for g in node.generators for n in ast.walk(g.target)]
        inner = {n.id: ("loop", 0) for n in targets if isinstance(n, ast.Name)}
        self.names.append({**(self.names[-1] if self.names else {}), **inner})
        self.generic_visit(node)
        self.names.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = _visit_comprehension
    visit_GeneratorExp = _visit_comprehension

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node):
        for statement in node.body:
            self.visit(statement)

    def visit_AnnAssign(self, node):
        if node.value is not None:
            self.visit(node.value)

    def visit_JoinedStr(self, node):
        pass

    def visit_Import(self, node):
        pass

    visit_ImportFrom = visit_Import

    def visit_Raise(self, node):
        self.emit(node, "statement", "pass")

    def visit_keyword(self, node):
        if node.arg not in QUIET_KEYWORDS:
            self.generic_visit(node)

    # Statements.

    def visit_Expr(self, node):
        if isinstance(node.value, ast.Constant):
            return
        if isinstance(node.value, ast.Call):
            if _name(node.value.func) in QUIET_CALLS:
                return
            if not ast.unparse(node).startswith("super()"):
                self.emit(node, "statement", "pass")
        self.generic_visit(node)

    def visit_Assign(self, node):
        targets = [ast.unparse(target) for target in node.targets]
        if not self.functions and targets[0] in AT_ONCE | {"PRESETS", "__all__"}:
            return
        inside = {ast.unparse(child) for child in ast.walk(node.value)}
        if inside.intersection(targets):
            self.emit(node, "statement", "pass")
        target = node.targets[0]
        if isinstance(target, ast.Tuple) and len(target.elts) == 2:
            first, second = map(ast.unparse, target.elts)
            if "*" not in first + second:
                self.emit(target, "swap", f"{second}, {first}")
        self.generic_visit(node)

    def visit_AugAssign(self, node):
        self.emit(node, "statement", "pass")
        if type(node.op) in OPERATORS:
            target, value = ast.unparse(node.target), _text(node.value)
            text = f"{target} {OPERATORS[type(node.op)]}= {value}"
            self.emit(node, "operator", text)
        self.generic_visit(node)

    def visit_Break(self, node):
        self.emit(node, "statement", "pass")

    visit_Continue = visit_Break

    def visit_If(self, node):
        self.emit(node.test, "condition", f"not {_text(node.test)}")
        self.generic_visit(node)

    visit_IfExp = visit_If

    def visit_comprehension(self, node):
        for test in node.ifs:
            self.emit(test, "condition", "True")
        self.generic_visit(node)

    # Expressions.

    def visit_BinOp(self, node):
        sides = (node.left, node.right)
        is_text = any(
            isinstance(side, ast.JoinedStr)
            or isinstance(side, ast.Constant)
            and isinstance(side.value, str)
            for side in sides
        )
        if not is_text:
            left, right = map(_text, sides)
            if type(node.op) in OPERATORS:
                swapped = f"({left} {OPERATORS[type(node.op)]} {right})"
                self.emit(node, "operator", swapped)
                self.emit(node, "term", left)
            if isinstance(node.op, ast.Add | ast.Mult | ast.MatMult):
                self.emit(node, "term", right)
        self.generic_visit(node)

    def visit_Compare(self, node):
        if len(node.ops) == 1:
            left, right = _text(node.left), _text(node.comparators[0])
            text = f"({left} {COMPARISONS[type(node.ops[0])]} {right})"
            self.emit(node, "comparison", text)
        self.generic_visit(node)

    def visit_BoolOp(self, node):
        other = " or " if isinstance(node.op, ast.And) else " and "
        values = [_text(value) for value in node.values]
        self.emit(node, "boolean", f"({other.join(values)})")
        for value in node.values:
            rest = [_text(v) for v in node.values if v is not value]
            joined = (" and " if other == " or " else " or ").join(rest)
            self.emit(node, "boolean", f"({joined})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node):
        if ast.unparse(node) != "-1":  # often the last of two axes, which is 1 too
            self.emit(node, "sign", _text(node.operand))
        if not isinstance(node.operand, ast.Constant):
            self.generic_visit(node)

    def visit_Constant(self, node):
        value = node.value
        if isinstance(value, bool):
            self.emit(node, "constant", str(not value))
        elif isinstance(value, int | float):
            other = value + 1 if isinstance(value, int) else 2 * value or 1.0
            self.emit(node, "constant", str(other))

    def visit_Slice(self, node):
        lower, upper = (
            "" if end is None else ast.unparse(end) for end in (node.lower, node.upper)
        )
        step = "" if node.step is None else f":{ast.unparse(node.step)}"
        if lower:
            self.emit(node, "slice", f":{upper}{step}")
        if upper:
            self.emit(node, "slice", f"{lower}:{step}")
        self.generic_visit(node)

    def visit_Call(self, node):
        name, function = _name(node.func), ast.unparse(node.func)
        if name in QUIET_CALLS or function in ("super", "isinstance"):
            return
        plain = [_text(a) for a in node.args if not isinstance(a, ast.Starred)]
        is_whole = len(plain) == len(node.args) and plain[:1] != ["self"]
        if len(plain) >= 2 and is_whole and name not in COMMUTATIVE:
            keywords = [ast.unparse(keyword) for keyword in node.keywords]
            swapped = [plain[1], plain[0], *plain[2:], *keywords]
            self.emit(node, "swap", f"{function}({', '.join(swapped)})")
        is_function = name[:1].islower() and name not in CONVERSIONS
        if plain and is_whole and is_function:
            self.emit(node, "call", plain[0])
        if not node.args and name in STRIPPED:
            self.emit(node, "call", _text(node.func.value))
        if name in OTHER:
            self.emit(node.func, "function", function[: -len(name)] + OTHER[name])
        for keyword in node.keywords:
            if keyword.arg and keyword.arg not in QUIET_KEYWORDS | DEFAULTS:
                rest = [ast.unparse(k) for k in node.keywords if k is not keyword]
                arguments = [*map(ast.unparse, node.args), *rest]
                self.emit(node, "keyword", f"{function}({', '.join(arguments)})")
            if keyword.arg == "axis" and isinstance(keyword.value, ast.Constant):
                self.emit(keyword.value, "axis", "0" if keyword.value.value else "1")
            if keyword.arg == "axis" and ast.unparse(keyword.value) == "-1":
                self.emit(keyword.value, "axis", "0")
        # The name of the called function is not a variable.
        if isinstance(node.func, ast.Attribute):
            self.visit(node.func.value)
        for child in (*node.args, *node.keywords):
            self.visit(child)

    def visit_Name(self, node):
        """Exchanges a variable for another one that has a value by now."""
        if not isinstance(node.ctx, ast.Load) or not self.names:
            return
        bound = self.names[-1]
        if node.id not in bound:
            return
        kind = bound[node.id][0]
        others = sorted(
            name
            for name, (other_kind, line) in bound.items()
            if name != node.id and other_kind == kind and line < node.lineno
        )
        if others:
            place = random.Random(f"{self.path} {node.id} {node.col_offset}")
            self.emit(node, "name", place.choice(others))
