# One call of a Python function: finds the function, reads the arguments, runs it to its end, and says what came of it as
# a value or an exception. Stands between values.py and runner.py in one file, with their rules.
import importlib
import linecache
import os
import pickle
import resource
import time
import traceback
import types

#: File name of this program in tracebacks.
OWN = (lambda: None).__code__.co_filename
MESSAGE_MAX = 64 * 1024
TRACEBACK_MAX = 256 * 1024

VERSION = "%d.%d.%d" % sys.version_info[:3]
HERE = "Python %s (%s)" % (VERSION, sys.executable)


class Trouble(Exception):
    """The call could not be made, or its value not be sent: no fault of the function's own code."""

    def __init__(self, kind, message):
        Exception.__init__(self, message)
        self.kind = kind


class Functions(object):
    """Functions by the digest of their code."""

    def __init__(self):
        self.known = {}

    def get(self, call):
        digest = call["code"]
        found = self.known.get(digest)
        if found is not None:
            return found[0]
        code = call["define"]
        if call.get("forget"):
            self.known.clear()
        function, path = load(code, digest)
        self.known[digest] = (function, path, stamp(path))
        return function

    def is_stale(self, call):
        """Whether the file that it was imported from is another one by now."""
        found = self.known.get(call["code"])
        return found is not None and found[1] is not None and stamp(found[1]) != found[2]


def stamp(path):
    try:
        status = os.stat(path)
        return (status.st_mtime, status.st_size, status.st_ino)
    except (OSError, TypeError):
        return None


def load(code, digest):
    if code["kind"] == "source":
        return find(module_of(code["source"], digest), code["entry"]), None
    if code["kind"] == "import":
        importlib.invalidate_caches()
        module = importlib.import_module(code["module"])
        return find(module, code["entry"]), getattr(module, "__file__", None)
    function = unpickle(code, "function")
    if not callable(function):
        raise Trouble("NotAFunction", "The pickle is a %s, which cannot be called" % name_of(type(function)))
    return function, None


def module_of(source, digest):
    name = "gc_function_" + digest[:16]
    path = "<gc function %s>" % digest[:16]
    module = types.ModuleType(name)
    module.__file__ = path
    linecache.cache[path] = (len(source), None, source.splitlines(True), path)
    sys.modules[name] = module
    exec(compile(source, path, "exec", 0, True), module.__dict__)
    return module


def find(module, entry):
    found = module
    for name in entry.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            where = "The source" if module.__name__.startswith("gc_function_") else 'The module "%s"' % module.__name__
            raise Trouble("NotFound", '%s has no "%s"' % (where, entry))
    if not callable(found):
        raise Trouble("NotAFunction", '"%s" is a %s, which cannot be called' % (entry, name_of(type(found))))
    return found


def unpickle(pickled, what):
    if pickled["version"].split(".")[:2] != VERSION.split(".")[:2]:
        raise Trouble(
            "VersionMismatch",
            "The %s was pickled by Python %s, and this is %s: a pickle is only read by the same minor version. Send "
            "the function as source and its arguments as JSON, or choose another interpreter"
            % (what, pickled["version"], HERE),
        )
    serializer = pickled.get("serializer", "pickle")
    try:
        reader = pickle if serializer == "pickle" else importlib.import_module(serializer)
    except ImportError:
        raise Trouble(
            "SerializerMissing",
            'The %s was pickled with %s, which %s has not: install it there, or send source and JSON'
            % (what, serializer, HERE),
        )
    wanted, found = pickled.get("serializer_version"), getattr(reader, "__version__", None)
    if wanted is not None and wanted != found:
        raise Trouble(
            "VersionMismatch",
            "The %s was pickled with %s %s, and %s has %s %s: its pickles are only read by the same version. Install "
            "%s==%s there, or send source and JSON"
            % (what, serializer, wanted, HERE, serializer, found, serializer, wanted),
        )
    try:
        return reader.loads(base64.b64decode(pickled["base64"]))
    except ImportError as error:
        raise Trouble(
            "ModuleMissing",
            "The %s cannot be unpickled by %s (%s): install what is missing there, or send source and JSON"
            % (what, HERE, error),
        )


def arguments_of(given):
    if given["kind"] == "json":
        try:
            found = from_text(given["text"])
        except Refused as refused:
            raise Trouble("BadArguments", "The arguments cannot be read: something %s" % refused)
        except ValueError as error:
            raise Trouble("BadArguments", "The arguments are not JSON: %s" % error)
        if not isinstance(found, dict):
            raise Trouble("BadArguments", 'The arguments are not of the form {"args": [], "kwargs": {}}')
        return found.get("args", []), found.get("kwargs", {})
    args, kwargs = unpickle(given, "pair of arguments")
    return args, kwargs


def result_of(value):
    """What a function returned, run to its end: coroutines are awaited, generators become lists."""
    if isinstance(value, types.GeneratorType):
        return list(value)
    if isinstance(value, types.CoroutineType) or (hasattr(value, "__await__") and not hasattr(value, "__array__")):
        return run_async(value)
    if isinstance(value, getattr(types, "AsyncGeneratorType", ())):
        return run_async(gather(value))
    return value


#: As text, because Python 2 would not parse it, and then could not say that it is too old.
GATHER = "async def gather(source):\n    return [item async for item in source]\n"


def gather(source):
    scope = {}
    exec(GATHER, scope)
    return scope["gather"](source)


def run_async(awaitable):
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        return loop.run_until_complete(awaitable)
    finally:
        try:
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


def value_of(value, how, limit):
    """The value as it travels."""
    if how == "pickle":
        data, serializer = pickled_bytes(value)
        text = base64.b64encode(data).decode("ascii")
        check_size(len(text), limit, "a pickle")
        told = {"kind": "pickle", "base64": text, "version": VERSION}
        if serializer is not None:
            told["serializer"] = serializer.__name__
            told["serializer_version"] = str(getattr(serializer, "__version__", "unknown"))
        return told
    if value is None:
        return {"kind": "json", "text": "null"}
    try:
        text = to_text(value)
    except Refused as refused:
        advice = 'return something else, or ask for a pickle (result: "pickle")'
        raise Trouble("UnserializableResult", "The value that the function returned %s: %s" % (refused, advice))
    check_size(len(text) + text.count('"') + text.count("\\"), limit, "JSON")
    return {"kind": "json", "text": text}


def pickled_bytes(value):
    """The bytes, and the module that made them if that was not pickle."""
    try:
        return pickle.dumps(value, 4), None
    except Exception as error:
        for name in ("cloudpickle", "dill"):
            try:
                module = importlib.import_module(name)
                return module.dumps(value, protocol=4), module
            except Exception:
                continue
        told = "The value that the function returned is a %s, which cannot be pickled (%s: %s): return something else"
        kind = type(value)
        raise Trouble("UnserializableResult", told % (name_of(kind), type(error).__name__, error))


def check_size(size, limit, form):
    if size <= limit:
        return
    told = "The value has %.1f MiB as %s, more than the %.1f MiB that a result holds: write it to a file"
    raise Trouble("ResultTooLarge", told % (size / 1048576.0, form, limit / 1048576.0))


def exception_of(error):
    """An exception as it travels, without the lines of this program."""
    kind = type(error)
    if isinstance(error, Trouble):
        return {"type": error.kind, "module": "gc", "message": str(error), "traceback": ""}
    try:
        message = str(error)
    except BaseException as worse:
        message = "<its text cannot be made: %s>" % type(worse).__name__
    told = {
        "type": getattr(kind, "__qualname__", kind.__name__),
        "module": str(kind.__module__),
        "message": shortened(message, MESSAGE_MAX),
        "traceback": shortened(traceback_of(error), TRACEBACK_MAX),
    }
    try:
        args = to_text(list(error.args))
        if len(args) <= MESSAGE_MAX:
            told["args"] = args
    except BaseException:
        pass
    return told


def traceback_of(error):
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == OWN:
        trace = trace.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, trace))
    except BaseException as worse:
        return "The traceback cannot be made: %s\n" % type(worse).__name__


def shortened(text, limit):
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n... %d characters left out ...\n%s" % (text[:half], len(text) - 2 * half, text[-half:])


def perform(functions, call):
    """One call, and what came of it."""
    reply = {"version": VERSION}
    before = time.process_time() + children_seconds()
    try:
        args, kwargs = arguments_of(call["arguments"])
        function = functions.get(call)
        value = result_of(function(*args, **kwargs))
        reply["value"] = value_of(value, call.get("result", "json"), call["limit"])
    except BaseException as error:
        reply["exception"] = exception_of(error)
    flush()
    reply["cpu_ms"] = (time.process_time() + children_seconds() - before) * 1000
    return reply


def children_seconds():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
