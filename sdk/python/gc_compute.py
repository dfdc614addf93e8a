"""Run functions and commands on any gc endpoint: a concurrent.futures.Executor, and the names of globus_compute_sdk.

    from gc_compute import Executor

    def hello_world(name):
        return f"Hello {name}!"

    with Executor(endpoint_id="my-endpoint") as gce:
        future = gce.submit(hello_world, "World")
        print(future.result())

One file, the standard library, Python 3.8 or newer. It starts the `gc` executable once per process (`gc sdk serve`) and
speaks lines of JSON to it; keys, connections, the outbox and exactly-once are gc's. Once a future has a `task_id`, its
task is safe even if this process is killed: `Executor(task_group_id=...).reload_tasks()` finds it again.
"""

import ast
import atexit
import base64
import builtins
import collections
import concurrent.futures
import dis
import enum
import functools
import importlib
import importlib.util
import inspect
import json
import keyword
import linecache
import logging
import marshal
import math
import os
import pickle
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import threading
import time
import types
import uuid
import weakref

__all__ = [
    "Batch",
    "Client",
    "ComputeError",
    "ComputeFuture",
    "Executor",
    "MPIFunction",
    "RemoteError",
    "SerializationError",
    "ShellFunction",
    "ShellResult",
    "TaskCancelled",
    "TaskExecutionFailed",
    "TaskPending",
    "TaskTimeout",
    "as_completed",
    "wait",
]

__version__ = "0.1.0"

#: Version of the protocol of `gc sdk serve` (docs/SDK_PROTOCOL.md).
PROTOCOL = 1

as_completed = concurrent.futures.as_completed
wait = concurrent.futures.wait

log = logging.getLogger("gc_compute")


# -- Errors -----------------------------------------------------------------------------------------------------------


class ComputeError(Exception):
    """Something that gc could not do. `code` is stable, `hint` is a command to type."""

    def __init__(self, message, code=None, hint=None):
        super().__init__(message if hint is None else "%s; next: %s" % (message, hint))
        self.code = code
        self.hint = hint


class SerializationError(ComputeError):
    """A function or a value that cannot travel; the message says why and what to do."""


class TaskPending(ComputeError):
    """The task has not ended. `reason` says what it waits for."""

    def __init__(self, reason):
        super().__init__("The task is pending: %s" % reason)
        self.reason = reason


class TaskExecutionFailed(ComputeError):
    """A task that ended without a value, and not by an exception that is known here."""

    def __init__(self, message, remote_data=None):
        super().__init__(message)
        self.remote_data = message if remote_data is None else remote_data


class RemoteError(TaskExecutionFailed):
    """An exception of a class that does not exist here. `type_name` and `remote_traceback` tell of it."""

    def __init__(self, message, type_name="", remote_traceback=""):
        super().__init__(message, remote_traceback)
        self.type_name = type_name
        self.remote_traceback = remote_traceback


class TaskTimeout(TaskExecutionFailed, TimeoutError):
    """The walltime of a function was over."""


class TaskCancelled(TaskExecutionFailed):
    """Somebody cancelled the task, not through its future."""


class _RemoteTraceback(Exception):
    """Shown above an exception that happened elsewhere."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return '\n"""\n%s"""' % self.text


# -- Values as JSON: the tags are described in docs/PYTHON.md; the worker's side is core/python/values.py ---------------

_SAFE = 2**53 - 1


class _Refused(Exception):
    """A value that JSON cannot carry; the message is the end of a sentence that begins with the value."""


def _name_of(kind):
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module == "builtins" else module + "." + name


def _to_text(value):
    try:
        return json.dumps(_encode(value), separators=(",", ":"), allow_nan=False)
    except RecursionError:
        raise _Refused("is nested too deeply, or contains itself") from None


def _from_text(text):
    return json.loads(text, object_hook=_untag)


def _encode(value):
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return value if -_SAFE <= value <= _SAFE else _tag("int", hex(value))
    if kind is float:
        return value if math.isfinite(value) else _tag("float", repr(value))
    if kind is list:
        return [_encode(item) for item in value]
    if kind is dict:
        if "$gc" not in value and all(type(key) is str for key in value):
            return {key: _encode(item) for key, item in value.items()}
        return _tag("dict", [[_encode(key), _encode(item)] for key, item in value.items()])
    writer = _WRITERS.get(_name_of(kind))
    if writer is not None:
        return writer(value)
    if kind.__module__.split(".")[0] == "pathlib":
        return _tag("path", str(value))
    numpy = sys.modules.get("numpy")
    if numpy is not None and (kind is numpy.ndarray or isinstance(value, numpy.generic)):
        return _encode_numpy(value, numpy)
    raise _Refused("is, or holds, a %s, which JSON cannot carry" % _name_of(kind))


def _tag(name, value, **more):
    more["$gc"] = name
    more["v"] = value
    return more


def _when(tag, value):
    more = {}
    zone = getattr(value.tzinfo, "key", None)
    if isinstance(zone, str):
        more["zone"] = zone
    if value.fold:
        more["fold"] = 1
    return _tag(tag, value.isoformat(), **more)


def _encode_numpy(value, numpy):
    array = numpy.asarray(value)
    if array.dtype.hasobject:
        raise _Refused("is, or holds, a numpy array of objects, which JSON cannot carry")
    dtype = array.dtype.str if array.dtype.names is None else _encode(array.dtype.descr)
    body = base64.b64encode(array.tobytes()).decode("ascii")
    if isinstance(value, numpy.generic):
        return _tag("numpy", body, dtype=dtype)
    return _tag("ndarray", body, dtype=dtype, shape=list(array.shape))


_WRITERS = {
    "tuple": lambda v: _tag("tuple", [_encode(item) for item in v]),
    "set": lambda v: _tag("set", [_encode(item) for item in v]),
    "frozenset": lambda v: _tag("frozenset", [_encode(item) for item in v]),
    "bytes": lambda v: _tag("bytes", base64.b64encode(v).decode("ascii")),
    "bytearray": lambda v: _tag("bytearray", base64.b64encode(v).decode("ascii")),
    "complex": lambda v: _tag("complex", [_encode(v.real), _encode(v.imag)]),
    "range": lambda v: _tag("range", [_encode(v.start), _encode(v.stop), _encode(v.step)]),
    "collections.OrderedDict": lambda v: _tag("ordereddict", [[_encode(k), _encode(i)] for k, i in v.items()]),
    "datetime.datetime": lambda v: _when("datetime", v),
    "datetime.date": lambda v: _tag("date", v.isoformat()),
    "datetime.time": lambda v: _when("time", v),
    "datetime.timedelta": lambda v: _tag("timedelta", [v.days, v.seconds, v.microseconds]),
    "decimal.Decimal": lambda v: _tag("decimal", str(v)),
    "fractions.Fraction": lambda v: _tag("fraction", [_encode(v.numerator), _encode(v.denominator)]),
    "uuid.UUID": lambda v: _tag("uuid", str(v)),
}


def _untag(found):
    if "$gc" not in found:
        return found
    reader = _READERS.get(found["$gc"])
    if reader is None:
        raise _Refused('has the unknown tag "%s": it was written by a newer gc' % (found["$gc"],))
    return reader(found["v"], found)


def _lazy(module, name):
    return getattr(importlib.import_module(module), name)


def _read_clock(text, found):
    import datetime

    match = re.match(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-][\d:.]+)?$", text)
    if match is None:
        raise _Refused('has the time "%s", which is none' % text)
    hour, minute, second, fraction, offset = match.groups()
    clock = [int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(6, "0"))]
    if "zone" in found:
        try:
            import zoneinfo
        except ImportError:
            raise _Refused("has a time zone by name, which this Python (older than 3.9) does not know") from None
        return clock, zoneinfo.ZoneInfo(found["zone"])
    if offset is None:
        return clock, None
    if offset == "Z":
        return clock, datetime.timezone.utc
    parts = [float(part) for part in offset[1:].split(":")] + [0, 0]
    delta = datetime.timedelta(hours=parts[0], minutes=parts[1], seconds=parts[2])
    if not delta:
        return clock, datetime.timezone.utc
    return clock, datetime.timezone(delta if offset[0] == "+" else -delta)


def _read_datetime(v, found):
    day, _, rest = v.partition("T")
    clock, zone = _read_clock(rest, found)
    parts = [int(part) for part in day.split("-")] + clock
    return _lazy("datetime", "datetime")(*parts, tzinfo=zone, fold=found.get("fold", 0))


def _read_time(v, found):
    clock, zone = _read_clock(v, found)
    return _lazy("datetime", "time")(*clock, tzinfo=zone, fold=found.get("fold", 0))


def _read_numpy(v, found):
    try:
        import numpy
    except ImportError:
        raise _Refused("has a numpy value in it, and this Python has no numpy") from None
    array = numpy.frombuffer(base64.b64decode(v), dtype=numpy.dtype(found["dtype"]))
    return array.reshape(found["shape"]).copy() if "shape" in found else array[0]


_READERS = {
    "int": lambda v, _: int(v, 16),
    "float": lambda v, _: float(v),
    "dict": lambda v, _: {key: item for key, item in v},
    "tuple": lambda v, _: tuple(v),
    "set": lambda v, _: set(v),
    "frozenset": lambda v, _: frozenset(v),
    "bytes": lambda v, _: base64.b64decode(v),
    "bytearray": lambda v, _: bytearray(base64.b64decode(v)),
    "complex": lambda v, _: complex(*v),
    "range": lambda v, _: range(*v),
    "ordereddict": lambda v, _: collections.OrderedDict(v),
    "datetime": _read_datetime,
    "date": lambda v, _: _lazy("datetime", "date")(*[int(part) for part in v.split("-")]),
    "time": _read_time,
    "timedelta": lambda v, _: _lazy("datetime", "timedelta")(*v),
    "decimal": lambda v, _: _lazy("decimal", "Decimal")(v),
    "fraction": lambda v, _: _lazy("fractions", "Fraction")(*v),
    "uuid": lambda v, _: uuid.UUID(v),
    "path": lambda v, _: _lazy("pathlib", "Path")(v),
    "numpy": _read_numpy,
    "ndarray": _read_numpy,
}


# -- Functions as text ------------------------------------------------------------------------------------------------

_PYTHON = "%d.%d.%d" % sys.version_info[:3]
_SERIALIZERS = ("json", "pickle", "cloudpickle", "dill")


class _Code:
    """A function as it travels: `text` is the JSON of the task's `python.code`."""

    def __init__(self, code, classes=(), checks=()):
        self.text = json.dumps(code, separators=(",", ":"))
        self.classes = {cls.__qualname__: cls for cls in classes}
        self._checks = list(checks)

    def is_current(self):
        """Whether the globals that were shipped with it are still what they were."""
        return all(check() for check in self._checks)


def _is_installed(module_name):
    """Whether a worker may be expected to have this module: it is part of Python, or was installed here."""
    top = module_name.split(".")[0]
    if top in ("__main__", "__mp_main__", "gc_compute"):
        return False
    if top in sys.builtin_module_names or top in getattr(sys, "stdlib_module_names", ()):
        return True
    module = sys.modules.get(top)
    origin = getattr(module, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError, AttributeError):
            return False
        origin = spec.origin if spec is not None else None
    if origin is None:
        return False
    origin = os.path.realpath(origin)
    places = {os.path.realpath(path) for path in sysconfig.get_paths().values()}
    parts = origin.split(os.sep)
    return "site-packages" in parts or "dist-packages" in parts or any(
        origin.startswith(place + os.sep) for place in places if place.endswith(("python%d.%d" % sys.version_info[:2],))
    )


def _import_path(value):
    """(module, qualified name) by which a worker can import this very object, or None."""
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if isinstance(value, types.BuiltinFunctionType) and module is None:
        module = getattr(value.__self__, "__name__", None) if inspect.ismodule(value.__self__) else None
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name or not _is_installed(module):
        return None
    found = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if found is value else None


class _Sources:
    """Parsed source files, a few of them."""

    def __init__(self):
        self._trees = collections.OrderedDict()

    def lines_and_tree(self, filename, module_globals):
        lines = linecache.getlines(filename, module_globals)
        if not lines:
            return None
        known = self._trees.get(filename)
        if known is not None and known[0] == lines:
            return known
        try:
            tree = ast.parse("".join(lines))
        except (SyntaxError, ValueError):
            return None
        self._trees[filename] = (lines, tree)
        while len(self._trees) > 16:
            self._trees.popitem(last=False)
        return lines, tree


_sources = _Sources()


def _first_line(node):
    return min([node.lineno] + [each.lineno for each in getattr(node, "decorator_list", [])])


def _find_function(function):
    """Lines of its file and the node that defines it; None where there is no source."""
    code = function.__code__
    found = _sources.lines_and_tree(code.co_filename, function.__globals__)
    if found is None:
        return None
    lines, tree = found
    kinds = (ast.Lambda,) if code.co_name == "<lambda>" else (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [
        node
        for node in ast.walk(tree)
        if isinstance(node, kinds)
        and _first_line(node) == code.co_firstlineno
        and getattr(node, "name", "<lambda>") == code.co_name
    ]
    if len(nodes) > 1:
        nodes = _which_lambda(nodes, code, lines)
    return (lines, nodes[0]) if len(nodes) == 1 else None


def _which_lambda(nodes, code, lines):
    """Of several in one line: the one at whose place the code stands, else those whose code is the same."""
    if hasattr(code, "co_positions"):
        places = {(p[0], p[2]) for p in code.co_positions() if p[0] is not None and p[2] is not None}
        inside = [
            node
            for node in nodes
            if any(
                (node.body.lineno, node.body.col_offset) <= place <= (node.body.end_lineno, node.body.end_col_offset)
                for place in places
                if place[1] > 0 or place[0] != code.co_firstlineno
            )
        ]
        # Nested ones hold each other: the innermost that holds all of it is meant.
        inside.sort(key=lambda node: (node.body.end_lineno - node.body.lineno, node.body.end_col_offset))
        same = [node for node in inside if _same_code(node, code)]
        if same:
            return same[:1]
        if len(inside) == 1:
            return inside
    same = [node for node in nodes if _same_code(node, code)]
    texts = {ast.dump(node) for node in same}
    return same[:1] if len(texts) == 1 else same


def _same_code(node, code):
    names = [each.arg for each in node.args.args + node.args.kwonlyargs]
    if list(code.co_varnames[: len(names)]) != names:
        return False
    compiled = compile(ast.fix_missing_locations(ast.Expression(node)), "", "eval")
    inner = [const for const in compiled.co_consts if isinstance(const, types.CodeType)]
    if not inner:
        return False
    if code.co_freevars:
        return True
    simple = lambda consts: [c for c in consts if not isinstance(c, types.CodeType)]  # noqa: E731
    return inner[0].co_code == code.co_code and inner[0].co_names == code.co_names and simple(
        inner[0].co_consts
    ) == simple(code.co_consts)


def _globals_of(code):
    """Names that the code, and code inside of it, takes from its module; and all attribute names, for submodules."""
    wanted, names = set(), set(code.co_names)
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
            wanted.add(step.argval)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            inner_wanted, inner_names = _globals_of(const)
            wanted |= inner_wanted
            names |= inner_names
    return wanted, names


def _names_in(nodes):
    return {
        each.id
        for node in nodes
        if node is not None
        for each in ast.walk(node)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)
    }


class _Text:
    """A module in the making: one function with everything that it uses."""

    def __init__(self, what):
        self.what = what
        self.names = {}
        self.imports = []
        self.parts = []
        self.after = []
        self.refused = []
        self.classes = []
        self.checks = []
        self.has_annotations = False

    def source(self):
        if self.refused:
            used = "; ".join("%s (%s)" % each for each in self.refused)
            raise SerializationError(
                "%s cannot be sent as source, because it uses %s. Make it an argument, create it inside the "
                'function, or send a pickle: Executor(serializer="cloudpickle")' % (self.what, used)
            )
        head = ["from __future__ import annotations"] if self.has_annotations else []
        return "\n".join(head + list(dict.fromkeys(self.imports)) + self.parts + self.after) + "\n"

    def refuse(self, name, why):
        self.refused.append(('"%s"' % name, why))

    def need(self, name, value, attributes=frozenset()):
        """Makes `name` mean `value` in the module."""
        if name in self.names:
            known = self.names[name]
            if known is not value and not (inspect.ismodule(known) and inspect.ismodule(value)):
                self.refuse(name, "two different things of this name are used")
            return
        self.names[name] = value
        if inspect.ismodule(value):
            return self.import_module(name, value, attributes)
        try:
            said = self.express(value, name)
        except _Refused as refused:
            return self.refuse(name, str(refused))
        if said != name:
            self.parts.append("%s = %s" % (name, said))

    def import_module(self, name, module, attributes):
        real = module.__name__
        if real in ("__main__", "__mp_main__"):
            return self.refuse(name, "the module of the program itself")
        self.imports.append("import %s" % real if name == real else "import %s as %s" % (real, name))
        # `import xml.etree` binds "xml": the submodules that are reached through it have to be loaded too.
        for other in list(sys.modules):
            if other.startswith(real + ".") and all(part in attributes for part in other[len(real) + 1 :].split(".")):
                if inspect.ismodule(sys.modules.get(other)):
                    self.imports.append("import %s as _gc_loaded" % other)

    def express(self, value, name=None):
        """An expression for the value. Raises _Refused."""
        kind = type(value)
        if value is None or kind in (bool, int, str, bytes, type(Ellipsis), range):
            return repr(value)
        if kind is float:
            return repr(value) if math.isfinite(value) else 'float("%r")' % value
        if kind is complex:
            return "complex(%s, %s)" % (self.express(value.real), self.express(value.imag))
        if kind is tuple:
            return "(%s)" % "".join("%s, " % self.express(item) for item in value)
        if kind is list:
            return "[%s]" % ", ".join(self.express(item) for item in value)
        if kind in (set, frozenset):
            return "%s([%s])" % (kind.__name__, ", ".join(self.express(item) for item in value))
        if kind is dict:
            return "{%s}" % ", ".join("%s: %s" % (self.express(k), self.express(v)) for k, v in value.items())
        path = _import_path(value)
        if path is not None:
            return self.import_object(*path, name=name)
        if isinstance(value, (types.FunctionType, type)) or callable(getattr(value, "__wrapped__", None)):
            return self.define(value, name)
        if isinstance(value, functools.partial):
            given = [self.express(item) for item in (value.func,) + value.args]
            given += ["**%s" % self.express(value.keywords)] if value.keywords else []
            self.imports.append("import functools as _gc_functools")
            return "_gc_functools.partial(%s)" % ", ".join(given)
        if isinstance(value, enum.Enum):
            return "%s[%r]" % (self.express(kind), value.name)
        if isinstance(value, logging.Logger):
            return '__import__("logging").getLogger(%r)' % value.name
        if isinstance(value, re.Pattern):
            return '__import__("re").compile(%r, %d)' % (value.pattern, value.flags)
        text = _to_text(value)  # Raises _Refused; the worker's program reads it back.
        return '__import__("__main__").from_text(%r)' % text

    def import_object(self, module, qualname, name):
        if module == "builtins":
            return qualname
        if "." not in qualname and name is not None:
            self.imports.append("from %s import %s as %s" % (module, qualname, name))
            return name
        self.imports.append("import %s as _gc_%s" % (module, module.replace(".", "_")))
        return "_gc_%s.%s" % (module.replace(".", "_"), qualname)

    def define(self, value, name=None):
        """Puts the definition of a function or class into the module; returns what it is called there."""
        original = inspect.unwrap(value) if not isinstance(value, type) else value
        if not isinstance(original, (types.FunctionType, type)):
            raise _Refused("is a %s" % _name_of(type(value)))
        own = original.__name__
        if own == "<lambda>" or not own.isidentifier():
            own = name or "_gc_lambda_%d" % len(self.names)
        taken = self.names.get(own)
        if taken is not None and taken is not value and own != name:
            own = "_gc_%s_%d" % (own, len(self.names))
        if self.names.get(own) is value and own != name:
            return own
        self.names[own] = value
        if isinstance(original, type):
            self.define_class(original, own)
        else:
            self.define_function(original, own, keep_decorators=original is not value)
        return own

    def define_function(self, function, own, keep_decorators):
        wanted, attributes = _globals_of(function.__code__)
        self.need_globals(wanted, function, attributes)
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            self.need_cell(name, cell, attributes)
        found = _find_function(function)
        nonlocal_names = found is not None and [
            name for node in ast.walk(found[1]) if isinstance(node, ast.Nonlocal) for name in node.names
        ]
        if found is None or set(nonlocal_names).intersection(function.__code__.co_freevars):
            return self.define_by_bytes(function, own)
        lines, node = found
        if isinstance(node, ast.Lambda):
            text = _segment(lines, node, _replaced_defaults(node))
            self.parts.append("%s = (%s)" % (own, text))
        else:
            decorated = keep_decorators and node.decorator_list
            if decorated:
                self.need_globals(_names_in(node.decorator_list), function, attributes)
                self.need_globals(_names_in(node.args.defaults + node.args.kw_defaults), function, attributes)
            replaced = [] if decorated else _replaced_defaults(node)
            self.note_annotations(node)
            start = _first_line(node) if decorated else node.lineno
            text = _lines_of(lines, node, start, replaced)
            self.parts.append(text if node.col_offset == 0 else "if True:\n" + text)
            if own != function.__name__:
                self.parts.append("%s = %s" % (own, function.__name__))
            if decorated:
                return
        self.set_defaults(function, own, node)

    def set_defaults(self, function, own, node):
        """Defaults travel by value: their expressions may mean something else by now, as in a loop."""
        try:
            if any(not _is_constant(each) for each in node.args.defaults) and function.__defaults__:
                self.after.append("%s.__defaults__ = %s" % (own, self.express(function.__defaults__)))
            if any(each is not None and not _is_constant(each) for each in node.args.kw_defaults):
                self.after.append("%s.__kwdefaults__ = %s" % (own, self.express(function.__kwdefaults__)))
        except _Refused as refused:
            self.refuse("default of %s" % own, str(refused))

    def define_by_bytes(self, function, own):
        """Without source, as in an old REPL: its bytecode, which says by itself which Python it is for."""
        code = base64.b64encode(marshal.dumps(function.__code__)).decode("ascii")
        magic = base64.b64encode(importlib.util.MAGIC_NUMBER).decode("ascii")
        self.imports += ["import base64 as _gc_base64, importlib.util as _gc_util, marshal as _gc_marshal"]
        self.imports += ["import sys as _gc_sys, types as _gc_types"]
        told = (
            "%s has no source text, so its bytecode of Python %s was sent, and this is Python %%s: define it in a "
            "file, or choose the same Python" % (self.what, _PYTHON)
        )
        self.parts.append(
            "if _gc_util.MAGIC_NUMBER != _gc_base64.b64decode(%r):\n"
            "    raise ImportError(%r %% _gc_sys.version.split()[0])" % (magic, told)
        )
        free = function.__code__.co_freevars
        self.parts.append("_gc_cells = tuple(_gc_types.CellType() for _ in range(%d))" % len(free))
        self.parts.append(
            "%s = _gc_types.FunctionType(_gc_marshal.loads(_gc_base64.b64decode(%r)), globals(), %r, None, _gc_cells)"
            % (own, code, function.__name__)
        )
        for at, name in enumerate(free):
            self.after.append("%s.__closure__[%d].cell_contents = %s" % (own, at, name))
        try:
            self.after.append("%s.__defaults__ = %s" % (own, self.express(function.__defaults__)))
            self.after.append("%s.__kwdefaults__ = %s" % (own, self.express(function.__kwdefaults__)))
        except _Refused as refused:
            self.refuse("default of %s" % own, str(refused))

    def define_class(self, cls, own):
        methods = [_plain_function(each) for each in vars(cls).values()]
        methods = [each for each in methods if each is not None and each.__qualname__.startswith(cls.__qualname__)]
        found = _find_class(cls, methods)
        if found is None:
            raise _Refused("is the class %s, of which there is no source text" % _name_of(cls))
        lines, node, file = found
        self.classes.append(cls)
        # Those that a decorator added, as dataclasses do, are added again at the endpoint.
        methods = [
            each
            for each in methods
            if each.__code__.co_filename == file and node.lineno <= each.__code__.co_firstlineno <= node.end_lineno
        ]
        module_globals = vars(sys.modules.get(cls.__module__, builtins))
        body = [each for each in node.body if not isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
        outside = list(node.decorator_list) + list(node.bases) + list(node.keywords)
        for each in node.body:
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                outside += each.decorator_list + each.args.defaults + each.args.kw_defaults
        self.need_names(_names_in(outside + body), module_globals, frozenset())
        for each in methods:
            wanted, attributes = _globals_of(each.__code__)
            self.need_globals(wanted, each, attributes)
            for name, cell in zip(each.__code__.co_freevars, each.__closure__ or ()):
                if name != "__class__":
                    self.need_cell(name, cell, attributes)
        self.note_annotation_names(each.annotation for each in ast.walk(node) if isinstance(each, ast.AnnAssign))
        for each in ast.walk(node):
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.note_annotations(each)
        text = _lines_of(lines, node, _first_line(node), [])
        self.parts.append(text if node.col_offset == 0 else "if True:\n" + text)
        if own != node.name:
            self.parts.append("%s = %s" % (own, node.name))

    def need_globals(self, wanted, function, attributes):
        self.need_names(wanted, function.__globals__, attributes)

    def need_names(self, wanted, module_globals, attributes):
        for name in sorted(wanted):
            if name not in module_globals or (name.startswith("__") and name.endswith("__")):
                continue
            value = module_globals[name]
            self.need(name, value, attributes)
            self.checks.append(self.check(value, lambda n=name, g=module_globals, v=value: g.get(n, _Text) is v))

    def need_cell(self, name, cell, attributes):
        try:
            value = cell.cell_contents
        except ValueError:
            return self.refuse(name, "a variable around it that has no value yet")
        self.need(name, value, attributes)

        def same():
            return cell.cell_contents is value

        self.checks.append(self.check(value, same))

    def check(self, value, same):
        """Whether a name still means what was sent: the same object, with the same content where that may change."""
        if not isinstance(value, (list, dict, set, bytearray)):
            return same
        try:
            text = repr(value)
        except Exception:
            return same
        return lambda: same() and repr(value) == text

    def note_annotations(self, node):
        args = node.args
        every = getattr(args, "posonlyargs", []) + args.args + args.kwonlyargs + [args.vararg, args.kwarg]
        told = [node.returns] + [each.annotation for each in every if each is not None]
        self.note_annotation_names(told)

    def note_annotation_names(self, nodes):
        """Annotations are not evaluated at the endpoint when they name more than Python itself has."""
        if any(not hasattr(builtins, name) for name in _names_in(nodes)):
            self.has_annotations = True


def _plain_function(value):
    """The function inside of a method as it stands in a class."""
    if isinstance(value, (staticmethod, classmethod)):
        value = value.__func__
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__wrapped__", value)
    return value if isinstance(value, types.FunctionType) else None


def _find_class(cls, methods):
    files = [each.__code__.co_filename for each in methods]
    module = sys.modules.get(cls.__module__)
    files.append(getattr(module, "__file__", None) or "")
    name = cls.__qualname__.split(".")[-1]
    lines_of_methods = {each.__code__.co_firstlineno for each in methods}
    for file in dict.fromkeys(files):
        found = _sources.lines_and_tree(file, vars(module) if module is not None else None) if file else None
        if found is None:
            continue
        lines, tree = found
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
        inside = [
            node for node in nodes if any(node.lineno <= line <= node.end_lineno for line in lines_of_methods)
        ] or nodes
        if inside:
            return lines, inside[-1], file
    return None


def _is_constant(node):
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Constant)


def _replaced_defaults(node):
    """Expressions of defaults that are set by value afterwards."""
    defaults = [each for each in node.args.defaults + node.args.kw_defaults if each is not None]
    return [each for each in defaults if not _is_constant(each)]


def _segment(lines, node, replaced):
    """The text of an expression, with some expressions inside of it replaced by None."""
    return _cut(lines, (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset), replaced)


def _lines_of(lines, node, start, replaced):
    """The whole lines of a statement, from line `start` on."""
    return _cut(lines, (start, 0), (node.end_lineno, node.end_col_offset), replaced)


def _cut(lines, start, end, replaced):
    """Offsets are in bytes of UTF-8, as the parser counts."""
    encoded = [line.encode("utf-8") for line in lines]
    parts, at = [], start
    places = sorted(((n.lineno, n.col_offset), (n.end_lineno, n.end_col_offset)) for n in replaced)
    for begin, stop in places + [(end, None)]:
        if at[0] == begin[0]:
            parts.append(encoded[at[0] - 1][at[1] : begin[1]])
        else:
            parts.append(encoded[at[0] - 1][at[1] :])
            parts.extend(encoded[at[0] : begin[0] - 1])
            parts.append(encoded[begin[0] - 1][: begin[1]])
        if stop is not None:
            parts.append(b"None")
            at = stop
    return b"".join(parts).decode("utf-8").rstrip()


def _ship(function, serializer):
    """A callable as it travels. Raises SerializationError, which says what is in the way."""
    if serializer in ("cloudpickle", "dill"):
        module = _serializer_module(serializer)
        # Without it dill sends no globals of a function, and it would miss them at the endpoint.
        options = {"recurse": True} if serializer == "dill" else {}
        try:
            data = module.dumps(function, protocol=4, **options)
        except Exception as error:
            raise SerializationError("%s cannot be pickled: %s" % (_called(function), error)) from error
        return _Code(_pickled(data, serializer))
    path = _import_path(function)
    if path is not None:
        return _Code({"kind": "import", "module": path[0], "entry": path[1]})
    if inspect.ismethod(function) or not (
        isinstance(function, (types.FunctionType, type)) or callable(getattr(function, "__wrapped__", None))
    ):
        raise SerializationError(
            "%s is a %s, not a function: wrap it in a function that makes the object, or send a pickle: "
            'Executor(serializer="cloudpickle")' % (_called(function), type(function).__name__)
        )
    text = _Text(_called(function))
    try:
        entry = text.define(function)
    except _Refused as refused:
        raise SerializationError("%s %s" % (_called(function), refused)) from None
    code = {"kind": "source", "source": text.source(), "entry": entry}
    return _Code(code, text.classes, text.checks)


def _serializer_module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        raise SerializationError(
            'serializer="%s" needs the package %s, which this Python %s (%s) has not: pip install %s, or send source '
            "and JSON: Executor()" % (name, name, _PYTHON, sys.executable, name)
        ) from None


def _pickled(data, serializer):
    """A pickle as it travels: with all that the other side must have alike."""
    told = {"kind": "pickle", "base64": base64.b64encode(data).decode("ascii"), "version": _PYTHON}
    told["serializer"] = serializer
    version = getattr(sys.modules.get(serializer), "__version__", None)
    if serializer != "pickle" and isinstance(version, str):
        told["serializer_version"] = version
    return told


def _called(function):
    return 'The function "%s"' % getattr(function, "__qualname__", repr(function))


_shipped = weakref.WeakKeyDictionary()


def _code_of(function, serializer):
    """The same, remembered per callable as long as what it uses does not change."""
    try:
        known = _shipped.get(function, {}).get(serializer)
    except TypeError:
        return _ship(function, serializer)
    if known is not None and known.is_current():
        return known
    code = _ship(function, serializer)
    _shipped.setdefault(function, {})[serializer] = code
    return code


# -- Commands ---------------------------------------------------------------------------------------------------------


class ShellResult:
    """What a ShellFunction came back with. `returncode` is 124 when its walltime was over."""

    def __init__(self, cmd, stdout, stderr, returncode, exception_name=None):
        self.cmd = cmd
        self.stdout = stdout
        self.stderr = stderr
        self.returncode = returncode
        self.exception_name = exception_name

    def __str__(self):
        lines = [self.stdout] if not self.returncode else [self.stdout, "stderr: ", self.stderr]
        return "\n".join(_last(text) for text in lines).rstrip("\n")

    def __repr__(self):
        return "ShellResult(cmd=%r, returncode=%r, exception_name=%r)" % (
            self.cmd,
            self.returncode,
            self.exception_name,
        )


def _last(text, lines=10, chars=1024):
    return "\n".join(text.split("\n")[-lines - 1 :])[-chars:]


class ShellFunction:
    """A command as a function: `cmd` is formatted with the keyword arguments and run by bash on the endpoint.

    walltime: seconds after which it is ended, with all that it started (returncode 124).
    stdout, stderr: files at the endpoint that the output is appended to as well.
    snippet_lines: last lines of each stream that come back.
    return_dict: the result is a dict with the fields of a ShellResult.
    """

    def __init__(self, cmd, stdout=None, stderr=None, walltime=None, snippet_lines=1000, name=None, return_dict=False):
        if not isinstance(cmd, str):
            raise TypeError("The command must be text, not %s" % type(cmd).__name__)
        if walltime is not None and walltime < 0:
            raise ValueError("The walltime must not be negative: %r" % (walltime,))
        if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
            raise ValueError("The name must be a Python identifier: %r" % (name,))
        self.cmd = cmd
        self.stdout = stdout
        self.stderr = stderr
        self.walltime = walltime
        self.snippet_lines = snippet_lines
        self.return_dict = return_dict
        self.__name__ = name or type(self).__name__

    @property
    def name(self):
        return self.__name__

    def __call__(self, **kwargs):
        """Runs it here and now."""
        cmd = self._line(kwargs)
        argv = self._argv(cmd)
        try:
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.walltime)
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as over:
            code, out, err = 124, over.stdout or b"", over.stderr or b""
        texts = [
            "\n".join(part.decode("utf-8", "replace").split("\n")[-self.snippet_lines - 1 :]) for part in (out, err)
        ]
        return self._result(cmd, texts[0], texts[1], code, code == 124)

    def _line(self, kwargs):
        return self.cmd.format(**kwargs)

    def _argv(self, cmd):
        if self.stdout is None and self.stderr is None:
            return ["bash", "-c", cmd]
        files = [self.stdout or "/dev/fd/1", self.stderr or "/dev/fd/2"]
        return ["bash", "-c", _WITH_FILES, "bash", cmd, str(self.snippet_lines)] + [str(each) for each in files]

    def _spec(self, kwargs):
        cmd = self._line(kwargs)
        spec = {"argv": self._argv(cmd), "snippet_lines": self.snippet_lines}
        if self.walltime is not None:
            spec["walltime_s"] = self.walltime
        return cmd, spec

    def _result(self, cmd, stdout, stderr, returncode, timed_out):
        failure = "subprocess.CalledProcessError" if returncode else None
        result = ShellResult(cmd, stdout, stderr, returncode, "subprocess.TimeoutExpired" if timed_out else failure)
        return vars(result) if self.return_dict else result


#: Runs a command with its output appended to files, and then prints the ends of the files. It outlives the signal that
#: ends the command, so that what was written until then comes back.
_WITH_FILES = """trap : TERM
cmd=$1 lines=$2 out=$3 err=$4
for file in "$out" "$err"; do case $file in */*) mkdir -p "${file%/*}" || exit 125 ;; esac; done
bash -c "$cmd" >>"$out" 2>>"$err" &
wait $!; code=$?
[ "$out" = /dev/fd/1 ] || tail -n "$lines" "$out"
[ "$err" = /dev/fd/2 ] || tail -n "$lines" "$err" >&2
exit $code"""


class MPIFunction(ShellFunction):
    """A command whose first program is started on several nodes or ranks, as `resource_specification` says.

    It is run by bash on the first node, with `$PARSL_MPI_PREFIX` put before it: the site's launcher and its options.
    """

    def _line(self, kwargs):
        return "$PARSL_MPI_PREFIX " + super()._line(kwargs)


# -- The process that does the work -----------------------------------------------------------------------------------

_LINE_BYTES = 2 * 1024 * 1024
_UNANSWERED_MAX = 8
_GATHER_S = 0.008
_QUEUED_BYTES_MAX = 128 * 1024 * 1024
_DEATHS_MAX = 6


def find_gc():
    """The gc executable: GC_EXE, else `gc` or `gcompute` in PATH. Graphviz has a `gc` too, which is passed over."""
    said = os.environ.get("GC_EXE")
    if said:
        found = shutil.which(said)
        if found is None:
            raise ComputeError('GC_EXE names "%s", which cannot be run' % said, "gc.not_found")
        return found
    for name in ("gc", "gcompute"):
        for folder in os.environ.get("PATH", "").split(os.pathsep) + [os.path.expanduser("~/.local/bin")]:
            path = shutil.which(name, path=folder) if folder else None
            if path is not None and _is_gc(path):
                return path
    raise ComputeError("There is no gc executable in PATH; set GC_EXE to where it is", "gc.not_found")


@functools.lru_cache(maxsize=None)
def _is_gc(path):
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return re.match(rb"gc \d+\.\d+", done.stdout) is not None


class _Task:
    """A task on its way. `spec` is JSON text."""

    __slots__ = ("future", "spec", "group", "read", "id")

    def __init__(self, future, spec, group, read):
        self.future = future
        self.spec = spec
        self.group = group
        self.read = read
        self.id = None


class _Submit:
    """A batch that has no answer yet. It is sent again, under the same key, when gc dies before it answers."""

    def __init__(self, head, tasks):
        self.key = uuid.uuid4().hex
        self.head = head
        self.tasks = tasks

    def line(self, ref, again):
        head = dict(self.head, t="submit", ref=ref, key=self.key)
        if again:
            head["again"] = True
        text = json.dumps(head, separators=(",", ":"))
        return '%s,"tasks":[%s]}' % (text[:-1], ",".join(task.spec for task in self.tasks))


class _Ask:
    """A question to gc."""

    def __init__(self, message):
        self.message = message
        self.answer = concurrent.futures.Future()

    def line(self, ref, again):
        return json.dumps(dict(self.message, ref=ref), separators=(",", ":"))


class _Bridge:
    """The one gc process of this Python process. A thread writes to it, a thread reads from it; nobody else does."""

    def __init__(self):
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._queues = collections.OrderedDict()
        self._queued_bytes = 0
        self._asks = collections.deque()
        self._open = {}
        self._tasks = {}
        self._ref = 0
        self._process = None
        self._writer = None
        self._reader = None
        self._is_dead = False
        self._greeted = False
        self._deaths = 0
        self._closing = False
        self.hello = {}

    # Called by anybody.

    def submit(self, head, batch_size, task):
        """Queues a task. Tasks with the same `head` (a tuple of JSON text and group) travel together."""
        with self._lock:
            if self._closing:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            while self._queued_bytes > _QUEUED_BYTES_MAX and threading.current_thread() is not self._reader:
                self._changed.wait()
            queue = self._queues.get(head)
            if queue is None:
                queue = self._queues[head] = collections.deque()
            queue.append((task, batch_size))
            self._queued_bytes += len(task.spec)
            self._begin()

    def ask(self, message, timeout=None):
        """Asks gc and waits for the answer. Raises ComputeError."""
        if threading.current_thread() is self._reader:
            raise RuntimeError("gc cannot be asked from a callback of a future; do it in another thread")
        return self.tell(message).result(timeout)

    def tell(self, message):
        """The same without waiting."""
        ask = _Ask(message)
        with self._lock:
            if self._closing:
                raise RuntimeError("cannot ask gc after interpreter shutdown")
            self._asks.append(ask)
            self._begin()
        return ask.answer

    def expect(self, tasks):
        """Notes tasks whose ids are known, before their results are asked for."""
        with self._lock:
            for task in tasks:
                self._tasks[task.id] = task

    def future_of(self, task_id):
        with self._lock:
            task = self._tasks.get(task_id)
            return None if task is None else task.future

    def close(self):
        """Sees everything off that was handed over, and ends gc. Waits for no results."""
        with self._lock:
            if self._writer is None or self._closing:
                self._closing = True
                return
            self._closing = True
            self._changed.notify_all()
            writer = self._writer
        writer.join(60)
        process = self._process
        if process is None:
            return
        try:
            process.stdin.close()
            process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            pass
        if self._reader is not None:
            self._reader.join(5)

    def forget(self):
        """In a forked child: lets go of the parent's pipes, so that gc sees when the parent ends."""
        process = self._process
        for stream in (process.stdin, process.stdout) if process is not None else ():
            try:
                os.close(stream.fileno())
            except (OSError, ValueError):
                pass

    def _begin(self):
        if self._writer is None or not self._writer.is_alive():
            self._writer = threading.Thread(target=self._write_on, name="gc-writer", daemon=True)
            self._writer.start()
        self._changed.notify_all()

    # The writing thread.

    def _write_on(self):
        while True:
            with self._lock:
                while not self._has_work():
                    if self._closing and not self._open and not self._queues and not self._asks:
                        return
                    self._changed.wait(1.0 if self._closing else None)
                needs_start = self._process is None or self._is_dead
            if needs_start:
                if not self._start():
                    return
                continue
            for line in self._take():
                self._write(line)

    def _has_work(self):
        if self._is_dead and (self._open or self._tasks or self._queues or self._asks):
            return True
        waiting = sum(isinstance(each, _Submit) for each in self._open.values())
        return bool(self._asks) or (bool(self._queues) and waiting < _UNANSWERED_MAX)

    def _take(self):
        """Lines that are due now, each noted as open before it is written."""
        with self._lock:
            lines = []
            while self._asks:
                lines.append(self._opened(self._asks.popleft()))
            if any(isinstance(each, _Submit) for each in self._open.values()) and not self._closing:
                # Something is on its way already: a moment's patience makes larger batches of what follows.
                self._changed.wait_for(self._is_full, _GATHER_S)
            for _ in range(len(self._queues)):
                if sum(isinstance(each, _Submit) for each in self._open.values()) >= _UNANSWERED_MAX:
                    break
                head, queue = self._queues.popitem(last=False)
                batch, size = [], 0
                while queue and size < _LINE_BYTES and len(batch) < queue[0][1]:
                    task, _ = queue.popleft()
                    self._queued_bytes -= len(task.spec)
                    if task.future.cancelled():
                        continue
                    batch.append(task)
                    size += len(task.spec)
                if queue:
                    self._queues[head] = queue
                if batch:
                    lines.append(self._opened(_Submit(json.loads(head[0]), batch)))
            self._changed.notify_all()
            return lines

    def _is_full(self):
        return self._is_dead or any(len(queue) >= queue[0][1] for queue in self._queues.values())

    def _opened(self, message):
        self._ref += 1
        self._open[self._ref] = message
        return message.line(self._ref, False)

    def _write(self, line):
        data = memoryview(line.encode("utf-8") + b"\n")
        try:
            fd = self._process.stdin.fileno()
            while data:
                data = data[os.write(fd, data) :]
        except (OSError, ValueError):
            pass  # It is dead; the reader says so, and everything that is open is sent again.

    def _start(self):
        """Starts gc, after the death of an earlier one too. False when it cannot be had."""
        old = self._process
        if old is not None:
            old.kill()
            old.wait()
            for stream in (old.stdin, old.stdout):
                try:
                    stream.close()
                except OSError:
                    pass
            log.warning("gc ended (exit code %s); starting it again", old.returncode)
            time.sleep(min(5.0, 0.05 * 2**self._deaths) if self._deaths > 1 else 0)
        try:
            process = subprocess.Popen(
                [find_gc(), "sdk", "serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except (OSError, ComputeError) as error:
            self._give_up(error if isinstance(error, ComputeError) else ComputeError("Cannot start gc: %s" % error))
            return False
        with self._lock:
            if self._deaths >= _DEATHS_MAX:
                failed = True
            else:
                failed = False
                self._process = process
                self._is_dead = False
                self._greeted = False
                again = [message.line(ref, True) for ref, message in self._open.items()]
                watches = self._watch_lines()
                self._reader = threading.Thread(target=self._read_on, args=(process,), name="gc-reader", daemon=True)
                self._reader.start()
        if failed:
            process.kill()
            process.wait()
            self._give_up(ComputeError("gc ended %d times in a row" % self._deaths, "gc.dies", "gc doctor"))
            return False
        self._write(json.dumps({"t": "hello", "v": PROTOCOL, "sdk": "python %s (%s)" % (__version__, _PYTHON)}))
        for line in watches + again:
            self._write(line)
        return True

    def _watch_lines(self):
        groups = {}
        for task in self._tasks.values():
            groups.setdefault(task.group, []).append(task.id)
        lines = []
        for group, ids in groups.items():
            for at in range(0, len(ids), 10000):
                ask = _Ask({"t": "watch", "group": group, "ids": ids[at : at + 10000]})
                self._ref += 1
                lines.append(ask.line(self._ref, False))
        return lines

    def _give_up(self, error):
        with self._lock:
            lost = [task for queue in self._queues.values() for task, _ in queue]
            asks = list(self._asks)
            for message in self._open.values():
                if isinstance(message, _Submit):
                    lost += message.tasks
                else:
                    asks.append(message)
            lost += list(self._tasks.values())
            self._queues.clear()
            self._asks.clear()
            self._open.clear()
            self._tasks.clear()
            self._queued_bytes = 0
            self._deaths = 0
            self._process = None
            self._is_dead = False
            self._writer = None
            self._changed.notify_all()
        for task in lost:
            task.future._fail(error)
        for ask in asks:
            ask.answer.set_exception(error)

    # The reading thread.

    def _read_on(self, process):
        fd = process.stdout.fileno()
        parts = []
        while True:
            try:
                piece = os.read(fd, 1 << 18)
            except OSError:
                piece = b""
            if not piece:
                break
            lines = piece.split(b"\n")
            if len(lines) == 1:
                parts.append(piece)
                continue
            parts.append(lines[0])
            lines[0] = b"".join(parts)
            parts = [lines.pop()]
            for line in lines:
                try:
                    self._take_line(json.loads(line.decode("utf-8")))
                except Exception:
                    log.exception("A line of gc could not be dealt with: %.200r", line)
        with self._lock:
            if self._process is process:
                self._is_dead = True
                self._deaths += 1
                if self._writer is None or not self._writer.is_alive():
                    if not self._closing and self._tasks:
                        self._begin()
                self._changed.notify_all()

    def _take_line(self, message):
        kind = message.get("t")
        if kind == "result":
            with self._lock:
                task = self._tasks.pop(message["id"], None)
            if task is not None:
                self._resolve(task, message["result"])
        elif kind == "submitted":
            self._submitted(message)
        elif kind == "failed":
            with self._lock:
                task = self._tasks.pop(message["id"], None)
            if task is not None:
                task.future._fail(_error_of(message["error"], TaskExecutionFailed))
        elif kind == "notice":
            log.warning("%s", message["text"])
        elif kind == "hello":
            with self._lock:
                self._greeted = True
                self._deaths = 0
                self.hello = message
        elif kind == "error" and "ref" not in message:
            if self._greeted:
                log.error("%s", message.get("message"))
            else:
                self._give_up(_error_of(message))
        else:
            self._answered(message)

    def _submitted(self, message):
        with self._lock:
            batch = self._open.pop(message["ref"], None)
            if batch is None:
                return
            cancelled = []
            for task, task_id in zip(batch.tasks, message["ids"]):
                task.id = task_id
                task.group = message["group"]
                task.future.task_id = task_id
                if task.future.cancelled():
                    cancelled.append(task_id)
                else:
                    self._tasks[task_id] = task
            if cancelled and not self._closing:
                self._asks.append(_Ask({"t": "cancel", "ids": cancelled}))
            self._changed.notify_all()
        for task in batch.tasks:
            task.future._known.set()

    def _answered(self, message):
        with self._lock:
            open_message = self._open.pop(message.get("ref"), None)
            self._changed.notify_all()
        if open_message is None:
            return
        if isinstance(open_message, _Submit):
            error = _error_of(message)
            for task in open_message.tasks:
                task.future._fail(error)
        elif message.get("t") == "error":
            open_message.answer.set_exception(_error_of(message))
        else:
            open_message.answer.set_result(message)

    def _resolve(self, task, result):
        future = task.future
        future._keep(result)
        try:
            value = task.read(result)
        except BaseException as error:
            future._fail(error)
        else:
            future._succeed(value)


def _error_of(message, kind=ComputeError):
    text = message.get("message", "unknown")
    if kind is not ComputeError:
        return kind(text)
    return ComputeError(text, message.get("code"), message.get("hint"))


_bridge_lock = threading.Lock()
_the_bridge = None


def _bridge():
    global _the_bridge
    with _bridge_lock:
        if _the_bridge is None:
            _the_bridge = _Bridge()
        return _the_bridge


def _at_exit():
    if _the_bridge is not None:
        try:
            _the_bridge.close()
        except KeyboardInterrupt:
            pass


def _after_fork():
    global _the_bridge, _bridge_lock
    _bridge_lock = threading.Lock()
    if _the_bridge is not None:
        _the_bridge.forget()
        _abandoned.append(_the_bridge)
        _the_bridge = None


_abandoned = []
atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# -- Futures ----------------------------------------------------------------------------------------------------------


class ComputeFuture(concurrent.futures.Future):
    """A future of a task. `task_id` is there once the task is safe; `stdout` and `stderr` once it has ended."""

    def __init__(self, task_id=None):
        super().__init__()
        self.task_id = task_id
        self.stdout = None
        self.stderr = None
        #: The whole result as gc tells it: outcome, times, host, attempt.
        self.gc_result = None
        self._known = threading.Event()
        if task_id is not None:
            self._known.set()

    def wait_for_task_id(self, timeout=None):
        """Waits until the task is safe and returns its id. Raises what went wrong instead."""
        if not self._known.wait(timeout):
            raise concurrent.futures.TimeoutError()
        if self.task_id is None:
            self.result(0)
        return self.task_id

    def cancel(self):
        """Cancels the task, running or not; False when it had ended."""
        if not super().cancel():
            return False
        with self._condition:
            fresh = self._state == concurrent.futures._base.CANCELLED
        if fresh:
            # `wait` and `as_completed` are told by this alone.
            self.set_running_or_notify_cancel()
            self._known.set()
            bridge = _the_bridge
            if self.task_id is not None and bridge is not None:
                with bridge._lock:
                    bridge._tasks.pop(self.task_id, None)
                try:
                    bridge.tell({"t": "cancel", "ids": [self.task_id]})
                except RuntimeError:
                    pass
        return True

    def _keep(self, result):
        self.gc_result = result
        self.stdout = _stream(result["stdout"])
        self.stderr = _stream(result["stderr"])

    def _succeed(self, value):
        try:
            self.set_result(value)
        except concurrent.futures.InvalidStateError:
            pass  # It was cancelled meanwhile.
        self._known.set()

    def _fail(self, error):
        try:
            self.set_exception(error)
        except concurrent.futures.InvalidStateError:
            pass
        self._known.set()


def _stream(output):
    if "text" in output:
        return output["text"]
    return base64.b64decode(output.get("base64", "")).decode("utf-8", "replace")


def _read_shell(function, cmd, result):
    outcome = result["outcome"]
    cause = outcome["cause"]
    if cause not in ("exit", "signal", "walltime"):
        _raise_outcome(outcome)
    args = (_stream(result["stdout"]), _stream(result["stderr"]), outcome["exit_code"], cause == "walltime")
    return function._result(cmd, *args)


def _read_python(classes, may_unpickle, result):
    error = result.get("exception")
    if error is not None:
        raise _exception_from(error, classes)
    outcome = result["outcome"]
    value = result.get("value")
    if outcome["class"] != "ok" or value is None:
        _raise_outcome(outcome, result)
    return _value_from(value, may_unpickle)


def _read_any(result):
    """The result of a task of which nothing is known here."""
    if "value" in result or "exception" in result:
        return _read_python({}, False, result)
    return _read_shell(_unknown_command, "", result)


_unknown_command = ShellFunction("")


def _value_from(value, may_unpickle):
    if value["kind"] == "json":
        return _from_text(value["text"])
    if not may_unpickle:
        raise TaskExecutionFailed("The value came as a pickle, which was not asked for")
    if value["version"].split(".")[:2] != _PYTHON.split(".")[:2]:
        raise TaskExecutionFailed(
            "The value was pickled by Python %s, and this is Python %s: a pickle is only read by the same minor "
            "version. Ask for JSON, or choose another interpreter" % (value["version"], _PYTHON)
        )
    serializer = value.get("serializer", "pickle")
    try:
        module = importlib.import_module(serializer)
    except ImportError:
        raise TaskExecutionFailed(
            "The value was pickled with %s, which this Python %s has not: install it here, or return something else"
            % (serializer, _PYTHON)
        ) from None
    wanted, found = value.get("serializer_version"), getattr(module, "__version__", None)
    if wanted is not None and wanted != found:
        raise TaskExecutionFailed(
            "The value was pickled with %s %s, and this Python %s has %s %s: its pickles are only read by the same "
            "version" % (serializer, wanted, _PYTHON, serializer, found)
        )
    return module.loads(base64.b64decode(value["base64"]))


def _raise_outcome(outcome, result=None):
    """Raises what a task that has no value ended by."""
    cause = outcome["cause"]
    reason = outcome.get("reason") or "The task ended by %s (exit code %s)" % (cause, outcome["exit_code"])
    if cause == "walltime":
        raise TaskTimeout(reason)
    if cause == "cancel":
        raise TaskCancelled(reason)
    words = _stream(result["stderr"]).strip() if result is not None else ""
    raise TaskExecutionFailed("%s\n%s" % (reason, _last(words)) if words else reason, words)


def _exception_from(told, classes):
    """The exception itself where its class is known here, else a RemoteError; the remote traceback is its cause."""
    trace = told.get("traceback") or ""
    kind = _exception_class(told["module"], told["type"], classes)
    error = None
    if kind is not None:
        try:
            args = _from_text(told["args"]) if "args" in told else [told["message"]]
            error = _make_exception(kind, args)
        except Exception:
            error = None
    if error is None:
        name = told["type"] if told["module"] in ("builtins", "gc") else "%s.%s" % (told["module"], told["type"])
        error = RemoteError("%s: %s" % (name, told["message"]), name, trace)
    if trace:
        error.__cause__ = _RemoteTraceback(trace)
    return error


def _exception_class(module, name, classes):
    found = classes.get(name) or classes.get(name.split(".")[-1])
    if found is None and module != "gc":
        if module not in sys.modules and _is_installed(module):
            try:
                importlib.import_module(module)
            except Exception:
                return None
        found = sys.modules.get(module)
        for part in name.split("."):
            found = getattr(found, part, None)
    # SystemExit and the like would end this program instead of telling what happened in the other.
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _make_exception(kind, args):
    try:
        return kind(*args)
    except Exception:
        error = kind.__new__(kind)
        error.args = tuple(args)
        return error


# -- Executor ---------------------------------------------------------------------------------------------------------

_default_group = None


def _own_group():
    """The task group of all executors of this process that name none."""
    global _default_group
    if _default_group is None or _default_group[0] != os.getpid():
        _default_group = (os.getpid(), str(uuid.uuid4()))
    return _default_group[1]


_RESOURCE_KEYS = {
    "cores": "cores",
    "cpus": "cores",
    "memory_mib": "memory_mib",
    "gpus": "gpus",
    "nodes": "nodes",
    "num_nodes": "nodes",
    "num_ranks": "ranks",
    "ranks_per_node": "ranks_per_node",
    "launcher_options": "launcher_options",
    "exclusive": "exclusive",
}


def _resources(given):
    if given is None:
        return None
    if not isinstance(given, dict):
        raise TypeError("resource_specification must be a dict, not %s" % type(given).__name__)
    resources = {}
    for key, value in given.items():
        if key not in _RESOURCE_KEYS:
            known = ", ".join(sorted(_RESOURCE_KEYS))
            raise ValueError('resource_specification has no key "%s"; it has: %s' % (key, known))
        if value is not None:
            resources[_RESOURCE_KEYS[key]] = value
    _check_ranks(resources.get("nodes"), resources.get("ranks"), resources.get("ranks_per_node"))
    return resources or None


def _check_ranks(nodes, ranks, each):
    """Two of the three determine the third, and never a fraction of it."""
    shape = "num_nodes=%r, num_ranks=%r, ranks_per_node=%r" % (nodes, ranks, each)
    if any(value is not None and (not isinstance(value, int) or value < 1) for value in (nodes, ranks, each)):
        raise ValueError("Nodes and ranks are whole numbers from 1 on: " + shape)
    if ranks is not None and (
        (nodes and each and nodes * each != ranks) or (nodes and ranks % nodes) or (each and ranks % each)
    ):
        raise ValueError("These contradict each other: " + shape)


class Executor(concurrent.futures.Executor):
    """Runs functions and commands on an endpoint.

    endpoint_id: its name, its id or the beginning of it; None for GC_ENDPOINT, else the endpoint "local".
    task_group_id: tasks that belong together; with the id of an earlier process, `reload_tasks` finds its tasks.
    resource_specification: cores, memory_mib, gpus of each task; for MPI num_nodes, ranks_per_node, num_ranks (two
        of them determine the third) and launcher_options.
    serializer: "json" (functions as source text, values as JSON); "pickle" (values as pickles); "cloudpickle" or "dill"
    (functions too). All but the first need the same minor version of Python on both sides.
    walltime, retries, env, python, on_lost, priority: of each task; `python` is the interpreter at the endpoint.

    All of them are attributes that can be set between two submits.
    """

    def __init__(
        self,
        endpoint_id=None,
        client=None,
        task_group_id=None,
        resource_specification=None,
        user_endpoint_config=None,
        label="",
        batch_size=128,
        amqp_port=None,
        api_burst_limit=4,
        api_burst_window_s=16,
        serializer=None,
        result_serializers=None,
        *,
        walltime=None,
        retries=0,
        env=None,
        python=None,
        on_lost=None,
        priority=None,
    ):
        self.endpoint_id = endpoint_id
        self.client = client
        self.task_group_id = task_group_id
        self.resource_specification = resource_specification
        self.user_endpoint_config = user_endpoint_config
        self.label = label
        self.batch_size = max(1, int(batch_size))
        self.serializer = serializer
        self.result_serializers = result_serializers
        self.walltime = walltime
        self.retries = retries
        self.env = env
        self.python = python
        self.on_lost = on_lost
        self.priority = priority
        self.task_count_submitted = 0
        self._lock = threading.Lock()
        self._is_shut = False
        self._pending = set()
        find_gc()

    def __repr__(self):
        return "Executor(endpoint_id=%r, task_group_id=%r)" % (self.endpoint_id, self.task_group_id)

    @property
    def task_group_id(self):
        return self._group or _own_group()

    @task_group_id.setter
    def task_group_id(self, value):
        self._group = None if value is None else str(value)

    @property
    def resource_specification(self):
        return self._resource_specification

    @resource_specification.setter
    def resource_specification(self, value):
        _resources(value)
        if value is not None:
            _check_json(value, "resource_specification")
        self._resource_specification = value

    @property
    def user_endpoint_config(self):
        return self._user_endpoint_config

    @user_endpoint_config.setter
    def user_endpoint_config(self, value):
        if value is not None:
            _check_json(value, "user_endpoint_config")
        self._user_endpoint_config = value

    @property
    def serializer(self):
        return self._serializer

    @serializer.setter
    def serializer(self, value):
        if value is not None and value not in _SERIALIZERS:
            raise ValueError("serializer must be one of %s, not %r" % (", ".join(_SERIALIZERS), value))
        self._serializer = value

    def submit(self, fn, /, *args, **kwargs):
        """Hands a call over; returns its future. `fn`: a function, a ShellFunction, or a registered function's id."""
        if isinstance(fn, ShellFunction):
            return self._submit_shell(fn, args, kwargs)
        while isinstance(fn, functools.partial):
            fn, args, kwargs = fn.func, fn.args + args, dict(fn.keywords, **kwargs)
        if not callable(fn):
            raise TypeError("%r cannot be called" % (fn,))
        code = _code_of(fn, self._serializer)
        return self._submit_python(code, args, kwargs)

    def submit_to_registered_function(self, function_id, args=None, kwargs=None):
        """Calls a function that was registered, here or by an earlier process."""
        found = _registry.get(str(function_id))
        if isinstance(found.call, ShellFunction):
            return self._submit_shell(found.call, tuple(args or ()), dict(kwargs or {}))
        return self._submit_python(found.call, tuple(args or ()), dict(kwargs or {}), found.sha256)

    def register_function(self, fn, function_id=None, *, description=None, **_kwargs):
        """Keeps a function under a hash of what it is, signed by you; returns that id. See `gc function list`."""
        return _registry.add(fn, self._serializer, function_id, description)

    def register_source_code(self, source, function_name, *, description=None, **_kwargs):
        """The same with the function of this name in a text of Python."""
        return _registry.add_source(source, function_name, None, description)

    def reload_tasks(self, task_group_id=None):
        """Futures of all tasks of the group, whoever submitted them. Earlier futures of it are cancelled here only."""
        group = str(task_group_id or self.task_group_id)
        if task_group_id is not None:
            self.task_group_id = group
        bridge = _bridge()
        with bridge._lock:
            for old in [task for task in bridge._tasks.values() if task.group == group]:
                del bridge._tasks[old.id]
                old.future.task_id = None
                old.future.cancel()
        try:
            answer = bridge.ask({"t": "reload", "group": group})
        except ComputeError as error:
            if error.code == "group.unknown":
                return []
            raise
        tasks = [_Task(ComputeFuture(task_id), "", answer["group"], _read_any) for task_id in answer["ids"]]
        for task in tasks:
            task.id = task.future.task_id
            self._note(task.future)
        bridge.expect(tasks)
        # Results may have come before they were expected: they are asked for now.
        for at in range(0, len(tasks), 10000):
            ids = [task.id for task in tasks[at : at + 10000]]
            bridge.tell({"t": "watch", "group": answer["group"], "ids": ids})
        return [task.future for task in tasks]

    def get_worker_hardware_details(self):
        """What the machine of a worker has, as text."""
        return self.submit(ShellFunction(_HARDWARE)).result().stdout

    def shutdown(self, wait=True, *, cancel_futures=False, **_more):
        """Takes no more tasks. Those that were submitted go on, also when this process ends, unless cancelled."""
        with self._lock:
            self._is_shut = True
            pending = list(self._pending)
        if cancel_futures:
            for future in pending:
                future.cancel()
        if wait:
            concurrent.futures.wait(pending)

    def _submit_shell(self, function, args, kwargs):
        if args:
            raise TypeError("%s takes keyword arguments only: they are put into the command" % function.__name__)
        resources = _resources(self._resource_specification) or {}
        is_parallel = "ranks" in resources or "ranks_per_node" in resources or resources.get("nodes", 1) > 1
        if isinstance(function, MPIFunction) and not is_parallel and "nodes" not in resources:
            raise ValueError("An MPIFunction needs num_nodes, ranks_per_node or num_ranks in resource_specification")
        cmd, spec = function._spec(kwargs)
        if is_parallel:
            # A program is started on each rank; a script starts its ranks itself.
            spec["script"] = "exec " + " ".join(map(shlex.quote, spec.pop("argv")))
        spec = json.dumps(spec, separators=(",", ":"))
        return self._hand_over(spec, functools.partial(_read_shell, function, cmd))

    def _submit_python(self, code, args, kwargs, sha256=None):
        how = self._serializer or "json"
        given = _arguments(args, kwargs, how)
        parts = ['{"python":{"code":', code.text, ',"arguments":', given]
        if sha256 is not None:
            parts += [',"function":"', sha256, '"']
        if self.python is not None:
            parts += [',"interpreter":', json.dumps(str(self.python))]
        if how != "json":
            parts.append(',"result":"pickle"')
        parts.append("}}")
        return self._hand_over("".join(parts), functools.partial(_read_python, code.classes, how != "json"))

    def _base(self):
        base = {}
        resources = _resources(self._resource_specification)
        if resources is not None:
            base["resources"] = resources
        if self.label:
            base["label"] = str(self.label)[:200]
        if self.walltime is not None:
            base["walltime_s"] = self.walltime
        if self.retries:
            base["retries"] = self.retries
        if self.env:
            base["env"] = {str(key): str(value) for key, value in self.env.items()}
        if self.on_lost is not None:
            base["on_lost"] = self.on_lost
        if self._user_endpoint_config:
            base["user_endpoint_config"] = self._user_endpoint_config
        return base

    def _hand_over(self, spec, read):
        group = self.task_group_id
        head = {"group": group, "base": self._base()}
        if self.endpoint_id is not None:
            head["endpoint"] = str(self.endpoint_id)
        if self.priority is not None:
            head["priority"] = self.priority
        future = ComputeFuture()
        task = _Task(future, spec, group, read)
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self.task_count_submitted += 1
        self._note(future)
        _bridge().submit((json.dumps(head, sort_keys=True),), self.batch_size, task)
        return future

    def _note(self, future):
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(self._forget)

    def _forget(self, future):
        with self._lock:
            self._pending.discard(future)


_HARDWARE = "uname -a; lscpu 2>/dev/null || sysctl -a hw 2>/dev/null; free -h 2>/dev/null; nvidia-smi -L 2>/dev/null; :"


def _check_json(value, what):
    if not isinstance(value, dict):
        raise TypeError("%s must be a dict, not %s" % (what, type(value).__name__))
    try:
        json.dumps(value)
    except (TypeError, ValueError) as error:
        raise TypeError("%s must be made of what JSON has: %s" % (what, error)) from None


def _arguments(args, kwargs, how):
    if how == "json":
        try:
            text = _to_text({"args": list(args), "kwargs": kwargs})
        except _Refused as refused:
            raise SerializationError(
                "An argument %s. Send it as something else, or as a pickle: "
                'Executor(serializer="pickle")' % str(refused)
            ) from None
        return '{"kind":"json","text":%s}' % json.dumps(text)
    module = _serializer_module(how)
    try:
        data = module.dumps((args, kwargs), protocol=4)
    except Exception as error:
        raise SerializationError("The arguments cannot be pickled: %s" % error) from error
    return json.dumps(_pickled(data, how))


# -- Registered functions ---------------------------------------------------------------------------------------------


class _Registered:
    """A function by its id: what it is, and the SHA-256 that tells the endpoint so."""

    def __init__(self, answer):
        self.id = answer["id"]
        self.sha256 = answer["sha256"]
        self.name = answer["name"]
        self.owner = answer["owner"]
        self.description = answer.get("description")
        self.body = answer["body"]
        if self.body["kind"] == "shell":
            facts = dict(self.body["fields"])
            kind = MPIFunction if facts.pop("class", None) == "MPIFunction" else ShellFunction
            self.call = kind(**facts)
        else:
            self.call = _Code(self.body)


class _Registry:
    """Functions by id, as gc keeps and signs them: an id is a hash of what the function is (gc function list)."""

    def __init__(self):
        self._here = {}
        self._classes = {}

    def add(self, fn, serializer, wanted=None, description=None, name=None):
        if isinstance(fn, ShellFunction):
            facts = {key: value for key, value in vars(fn).items() if value is not None and key != "__name__"}
            body = {"kind": "shell", "fields": dict(facts, name=fn.name, **{"class": type(fn).__name__})}
            return self._keep(body, name or fn.name, wanted, description)
        code = _code_of(fn, serializer)
        function_id = self._keep(json.loads(code.text), name or getattr(fn, "__name__", "function"), wanted, description)
        self._classes[function_id] = code.classes
        return function_id

    def add_source(self, source, function_name, wanted=None, description=None):
        ast.parse(source)
        body = {"kind": "source", "source": source, "entry": function_name}
        return self._keep(body, function_name, wanted, description)

    def get(self, function_id):
        found = self._here.get(function_id)
        if found is None:
            found = self._here[function_id] = _Registered(self._ask({"t": "function", "function": function_id}))
            if isinstance(found.call, _Code):
                found.call.classes = self._classes.get(found.id, {})
        return found

    def remove(self, function_id):
        answer = self._ask({"t": "forget", "function": function_id})
        self._here = {said: one for said, one in self._here.items() if one.id != answer["id"]}

    def _keep(self, body, name, wanted, description):
        message = {"t": "register", "name": str(name)[:200], "body": body}
        if description:
            message["description"] = str(description)[:2000]
        answer = self._ask(message)
        if wanted is not None and str(wanted) not in (answer["id"], answer["sha256"]):
            raise ValueError(
                "The function has the id %s, because that is a hash of what it is; it cannot have the id %s"
                % (answer["id"], wanted)
            )
        self._here.pop(answer["id"], None)
        return answer["id"]

    def _ask(self, message):
        return _bridge().ask(message)


_registry = _Registry()


# -- Client -----------------------------------------------------------------------------------------------------------


class Batch:
    """Calls of registered functions, to be submitted together."""

    def __init__(self, task_group_id=None, resource_specification=None, user_endpoint_config=None, **_more):
        self.task_group_id = None if task_group_id is None else str(task_group_id)
        self.resource_specification = resource_specification
        self.user_endpoint_config = user_endpoint_config
        self.tasks = []

    def add(self, function_id, args=None, kwargs=None):
        self.tasks.append((str(function_id), tuple(args or ()), dict(kwargs or {})))

    def __len__(self):
        return len(self.tasks)


class Client:
    """The calls of globus_compute_sdk.Client. An Executor is nearly always the better choice."""

    def __init__(self, *_args, **_kwargs):
        self._futures = {}
        self._executors = {}

    def version_check(self, *_args, **_kwargs):
        """Starts gc, which refuses an SDK that it does not understand."""
        self._ask({"t": "whoami"})

    def logout(self):
        """There is no session: the key in GC_HOME is the identity."""

    def whoami(self):
        answer = self._ask({"t": "whoami"})
        return {"id": answer["id"], "context": answer["context"]}

    def register_function(self, function, function_name=None, container_uuid=None, description=None, **_more):
        return _registry.add(function, None, None, description, function_name)

    def register_source_code(self, source, function_name, *, description=None, **_more):
        return _registry.add_source(source, function_name, None, description)

    def get_function(self, function_id):
        found = _registry.get(str(function_id))
        return {
            "function_uuid": found.id,
            "function_name": found.name,
            "function_code": found.body,
            "description": found.description,
            "owner": found.owner,
            "sha256": found.sha256,
        }

    def delete_function(self, function_id):
        _registry.remove(str(function_id))
        return {"result": 302}

    def run(self, *args, endpoint_id=None, function_id, **kwargs):
        """Submits one call; returns its task id once it is safe."""
        batch = self.create_batch()
        batch.add(function_id, args, kwargs)
        return self.batch_run(endpoint_id, batch)["tasks"][str(function_id)][0]

    def create_batch(self, task_group_id=None, resource_specification=None, user_endpoint_config=None, **more):
        return Batch(task_group_id, resource_specification, user_endpoint_config, **more)

    def batch_run(self, endpoint_id, batch=None, **more):
        """Submits a batch; returns once all of it is safe."""
        if batch is None:
            endpoint_id, batch = None, endpoint_id
        executor = Executor(
            endpoint_id=endpoint_id,
            task_group_id=batch.task_group_id,
            resource_specification=batch.resource_specification,
            user_endpoint_config=batch.user_endpoint_config,
            batch_size=1000,
        )
        futures = [executor.submit_to_registered_function(*task) for task in batch.tasks]
        tasks = {}
        for (function_id, _, _), future in zip(batch.tasks, futures):
            task_id = future.wait_for_task_id()
            self._futures[task_id] = future
            tasks.setdefault(function_id, []).append(task_id)
        return {
            "request_id": str(uuid.uuid4()),
            "task_group_id": executor.task_group_id,
            "endpoint_id": endpoint_id,
            "tasks": tasks,
        }

    def get_task(self, task_id):
        """Where a task stands: task_id, status, pending, and its result or exception."""
        return self.get_batch_result([task_id])[str(task_id)]

    def get_result(self, task_id):
        """The value of a task. Raises TaskPending, or what the task raised."""
        found = self.get_task(task_id)
        if found["pending"]:
            raise TaskPending(found.get("reason") or found["status"])
        if "exception" in found:
            raise found["exception"]
        return found["result"]

    def get_batch_result(self, task_id_list):
        ids = [str(each) for each in task_id_list]
        found = {}
        for task_id in ids:
            future = self._futures.get(task_id)
            if future is not None and future.done():
                found[task_id] = _standing(task_id, future)
        asked = [task_id for task_id in dict.fromkeys(ids) if task_id not in found]
        for at in range(0, len(asked), 1000):
            answer = self._ask({"t": "status", "ids": asked[at : at + 1000], "results": True})
            for row in answer["tasks"]:
                found[row["id"]] = self._row(row)
        return {task_id: found[task_id] for task_id in ids}

    def cancel(self, task_ids):
        """Ends tasks, queued or running."""
        ids = [task_ids] if isinstance(task_ids, (str, uuid.UUID)) else task_ids
        self._ask({"t": "cancel", "ids": [str(each) for each in ids]})

    def get_endpoint_status(self, endpoint_id=None):
        answer = self._endpoint(endpoint_id)
        status = answer.get("status") or {}
        workers = status.get("workers", [])
        slots = sum(each.get("slots", 0) for each in workers)
        running = status.get("running", 0)
        details = {
            "total_workers": slots,
            "idle_workers": max(0, slots - running),
            "pending_tasks": status.get("waiting", 0),
            "outstanding_tasks": status.get("waiting", 0) + running,
            "managers": len(workers),
        }
        return {"status": "online" if answer["online"] else "offline", "details": details if status else {}}

    def get_endpoint_metadata(self, endpoint_id=None):
        answer = self._endpoint(endpoint_id)
        status = answer.get("status") or {}
        return {
            "uuid": answer["id"],
            "name": answer["name"],
            "display_name": answer["name"],
            "hostname": status.get("host"),
            "endpoint_version": status.get("software"),
            "multi_user": False,
        }

    def get_endpoints(self, role="owner"):
        """Endpoints that the relay shows: your own, or with role="any" all that you may use."""
        answer = self._ask({"t": "endpoints"})
        rows = [
            {"uuid": row["id"], "name": row["name"], "display_name": row["name"], "owner": row.get("owner")}
            for row in answer["rows"]
        ]
        return rows if role == "any" else [row for row in rows if row["owner"] in (None, answer["user"])]

    def get_worker_hardware_details(self, endpoint_id=None):
        executor = Executor(endpoint_id=endpoint_id)
        return executor.submit(ShellFunction(_HARDWARE)).wait_for_task_id()

    def get_allowed_functions(self, *_args, **_kwargs):
        raise NotImplementedError("Which functions an endpoint allows is seen on its machine: gc endpoint show NAME")

    def register_endpoint(self, *_args, **_kwargs):
        raise NotImplementedError("Endpoints register themselves: gc endpoint configure NAME")

    def stop_endpoint(self, *_args, **_kwargs):
        raise NotImplementedError("On the endpoint's machine: gc endpoint stop NAME")

    def delete_endpoint(self, *_args, **_kwargs):
        raise NotImplementedError("On the endpoint's machine: gc endpoint delete NAME")

    def get_result_amqp_url(self):
        raise NotImplementedError("Results come through gc; there is no AMQP server")

    def _endpoint(self, endpoint_id):
        message = {"t": "endpoint"}
        if endpoint_id is not None:
            message["endpoint"] = str(endpoint_id)
        return self._ask(message)

    def _row(self, row):
        result = row.get("result")
        state = row["state"]
        if result is None:
            if state == "refused":
                error = TaskExecutionFailed(row.get("reason", state))
                return {"task_id": row["id"], "status": "failed", "pending": False, "exception": error}
            status = _STATES.get(state, state)
            return {"task_id": row["id"], "status": status, "pending": True, "reason": row.get("reason")}
        future = ComputeFuture(row["id"])
        future._keep(result)
        known = self._futures.get(row["id"])
        read = _read_any
        if known is not None and _the_bridge is not None:
            with _the_bridge._lock:
                task = _the_bridge._tasks.get(row["id"])
            read = _read_any if task is None else task.read
        try:
            future._succeed(read(result))
        except Exception as error:
            future._fail(error)
        return _standing(row["id"], future)

    def _ask(self, message):
        return _bridge().ask(message)


_STATES = {
    "queued": "waiting-for-ep",
    "waiting": "waiting-for-nodes",
    "sent": "waiting-for-launch",
    "running": "running",
    "suspect": "running",
    "finished": "running",
}


def _standing(task_id, future):
    found = {"task_id": task_id, "pending": False}
    error = concurrent.futures.CancelledError() if future.cancelled() else future.exception()
    if error is None:
        found.update(status="success", result=future.result())
    else:
        found.update(status="failed", exception=error)
    if future.gc_result is not None:
        found["completion_t"] = str(future.gc_result["ended_ms"] / 1000)
        found["details"] = {"host": future.gc_result.get("host"), "platform": platform.system()}
    return found
