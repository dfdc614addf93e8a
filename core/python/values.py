# Values as JSON. What JSON lacks is tagged: {"$gc": "tuple", "v": [...]}; the table of tags is in docs/PYTHON.md. What
# cannot be said without loss is refused by the name of its type. Standard library only, Python 3.6 and later; the
# worker puts this file before runner.py, and both are one program there. It must parse under Python 2 as well, so that
# an interpreter that is too old can say so.
import base64
import json
import math
import sys

SAFE = 2 ** 53 - 1


class Refused(Exception):
    """A value that JSON cannot carry; the message is the end of a sentence that begins with the value."""


def name_of(kind):
    module = getattr(kind, "__module__", "builtins")
    name = getattr(kind, "__qualname__", kind.__name__)
    return name if module == "builtins" else module + "." + name


#: `json.dumps` makes an encoder anew for every call that wants more than the default.
to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def to_text(value):
    """Any value as JSON text. Raises Refused."""
    try:
        return to_json(encode(value))
    except RecursionError:
        raise Refused("is nested too deeply, or contains itself")


def from_text(text):
    """The value of JSON text. Raises Refused, or ValueError where it is no JSON."""
    return _DECODER.decode(text)


def encode(value):
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if kind is int:
        return value if -SAFE <= value <= SAFE else _tag("int", hex(value))
    if kind is float:
        return value if math.isfinite(value) else _tag("float", repr(value))
    if kind is list:
        return [encode(item) for item in value]
    if kind is dict:
        if "$gc" not in value and all(type(key) is str for key in value):
            return {key: encode(item) for key, item in value.items()}
        return _tag("dict", [[encode(key), encode(item)] for key, item in value.items()])
    writer = _WRITERS.get(name_of(kind))
    if writer is not None:
        return writer(value)
    if kind.__module__.split(".")[0] == "pathlib":
        return _tag("path", str(value))
    numpy = sys.modules.get("numpy")
    if numpy is not None and (kind is numpy.ndarray or isinstance(value, numpy.generic)):
        return _numpy(value, numpy)
    raise Refused("is, or holds, a %s, which JSON cannot carry" % name_of(kind))


def _tag(name, value, **more):
    more["$gc"] = name
    more["v"] = value
    return more


def _datetime(value):
    return _when("datetime", value)


def _time(value):
    return _when("time", value)


def _when(tag, value):
    more = {}
    zone = getattr(value.tzinfo, "key", None)
    if isinstance(zone, str):
        more["zone"] = zone
    if value.fold:
        more["fold"] = 1
    return _tag(tag, value.isoformat(), **more)


def _numpy(value, numpy):
    array = numpy.asarray(value)
    if array.dtype.hasobject:
        raise Refused("is, or holds, a numpy array of objects, which JSON cannot carry")
    dtype = array.dtype.str if array.dtype.names is None else encode(array.dtype.descr)
    body = base64.b64encode(array.tobytes()).decode("ascii")
    if isinstance(value, numpy.generic):
        return _tag("numpy", body, dtype=dtype)
    return _tag("ndarray", body, dtype=dtype, shape=list(array.shape))


_WRITERS = {
    "tuple": lambda v: _tag("tuple", [encode(item) for item in v]),
    "set": lambda v: _tag("set", [encode(item) for item in v]),
    "frozenset": lambda v: _tag("frozenset", [encode(item) for item in v]),
    "bytes": lambda v: _tag("bytes", base64.b64encode(v).decode("ascii")),
    "bytearray": lambda v: _tag("bytearray", base64.b64encode(v).decode("ascii")),
    "complex": lambda v: _tag("complex", [encode(v.real), encode(v.imag)]),
    "range": lambda v: _tag("range", [encode(v.start), encode(v.stop), encode(v.step)]),
    "collections.OrderedDict": lambda v: _tag("ordereddict", [[encode(k), encode(i)] for k, i in v.items()]),
    "datetime.datetime": _datetime,
    "datetime.date": lambda v: _tag("date", v.isoformat()),
    "datetime.time": _time,
    "datetime.timedelta": lambda v: _tag("timedelta", [v.days, v.seconds, v.microseconds]),
    "decimal.Decimal": lambda v: _tag("decimal", str(v)),
    "fractions.Fraction": lambda v: _tag("fraction", [encode(v.numerator), encode(v.denominator)]),
    "uuid.UUID": lambda v: _tag("uuid", str(v)),
}


def _untag(found):
    if "$gc" not in found:
        return found
    reader = _READERS.get(found["$gc"])
    if reader is None:
        raise Refused('has the unknown tag "%s": it was written by a newer gc' % (found["$gc"],))
    return reader(found["v"], found)


def _read_int(v, _found):
    return int(v, 16)


def _read_decimal(v, _found):
    import decimal

    return decimal.Decimal(v)


def _read_fraction(v, _found):
    import fractions

    return fractions.Fraction(*v)


def _read_uuid(v, _found):
    import uuid

    return uuid.UUID(v)


def _read_path(v, _found):
    import pathlib

    return pathlib.Path(v)


def _read_ordered(v, _found):
    import collections

    return collections.OrderedDict(v)


def _read_date(v, _found):
    import datetime

    return datetime.date(*[int(part) for part in v.split("-")])


def _read_datetime(v, found):
    import datetime

    day, _, rest = v.partition("T")
    year, month, date = [int(part) for part in day.split("-")]
    clock, zone = _read_clock(rest, found)
    return datetime.datetime(year, month, date, *clock, tzinfo=zone, fold=found.get("fold", 0))


def _read_time(v, found):
    import datetime

    clock, zone = _read_clock(v, found)
    return datetime.time(*clock, tzinfo=zone, fold=found.get("fold", 0))


def _read_timedelta(v, _found):
    import datetime

    return datetime.timedelta(*v)


def _read_clock(text, found):
    """07:30:00.25+01:00 as [7, 30, 0, 250000] and its zone; datetime.fromisoformat came with 3.7 and reads less."""
    import datetime
    import re

    match = re.match(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-][\d:.]+)?$", text)
    if match is None:
        raise Refused('has the time "%s", which is none' % text)
    hour, minute, second, fraction, offset = match.groups()
    clock = [int(hour), int(minute), int(second or 0), int((fraction or "0").ljust(6, "0"))]
    if "zone" in found:
        try:
            import zoneinfo
        except ImportError:
            raise Refused("has a time zone by name, which this Python (older than 3.9) does not know")
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


def _read_numpy(v, found):
    try:
        import numpy
    except ImportError:
        raise Refused("has a numpy value in it, and this Python (%s) has no numpy" % sys.executable)
    dtype = found["dtype"]
    array = numpy.frombuffer(base64.b64decode(v), dtype=numpy.dtype(dtype))
    return array.reshape(found["shape"]).copy() if "shape" in found else array[0]


_READERS = {
    "int": _read_int,
    "float": lambda v, _: float(v),
    "dict": lambda v, _: {key: item for key, item in v},
    "tuple": lambda v, _: tuple(v),
    "set": lambda v, _: set(v),
    "frozenset": lambda v, _: frozenset(v),
    "bytes": lambda v, _: base64.b64decode(v),
    "bytearray": lambda v, _: bytearray(base64.b64decode(v)),
    "complex": lambda v, _: complex(*v),
    "range": lambda v, _: range(*v),
    "ordereddict": _read_ordered,
    "datetime": _read_datetime,
    "date": _read_date,
    "time": _read_time,
    "timedelta": _read_timedelta,
    "decimal": _read_decimal,
    "fraction": _read_fraction,
    "uuid": _read_uuid,
    "path": _read_path,
    "numpy": _read_numpy,
    "ndarray": _read_numpy,
}


_DECODER = json.JSONDecoder(object_hook=_untag)
