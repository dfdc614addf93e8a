# Runs Python functions for a gc worker. `serve`: calls come one after the other as frames on standard input, and go
# back on standard output; the process stays warm, and asks to be replaced when a call left something behind. `once
# CALL REPLY`: one call, from a file to a file, with the streams of the process left alone. A frame is its length in
# four bytes, little endian, and JSON. Follows values.py and calls.py in one file, with their rules.
import signal
import struct
import threading

#: Growth of the process since the first call of a function, above which it is taken for a leak.
LEAK_BYTES = 512 * 1024 * 1024


try:
    # Without the enumeration that `signal` puts around its answers.
    from _signal import getsignal
except ImportError:
    from signal import getsignal

#: Signals whose handlers a call may leave changed.
WATCHED = [int(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGCHLD)]


class Surroundings(object):
    """What a call may change, and what is set right after it; what cannot be set right is told."""

    def __init__(self):
        self.environ = dict(os.environ)
        # The variables as the system has them, which is what they are compared by: decoding all of them for every call
        # costs more than a short call does.
        self.raw = dict(raw_environ())
        self.raw_own = self.raw
        self.own = {}
        self.null = os.open(os.devnull, os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))
        self.page_bytes = os.sysconf("SC_PAGE_SIZE")
        self.path = list(sys.path)
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self.signals = self.handlers()
        self.umask = os.umask(0o77)
        os.umask(self.umask)
        self.argv = list(sys.argv)
        self.bytes = {}
        self.statm = os.open("/proc/self/statm", os.O_RDONLY) if os.path.exists("/proc/self/statm") else None

    @staticmethod
    def handlers():
        return [getsignal(name) for name in WATCHED]

    def enter(self, call):
        os.chdir(call["cwd"])
        given = call["env"]
        if given != self.own:
            for name in self.own:
                if name not in given:
                    del os.environ[name]
            for name in given:
                os.environ[name] = given[name]
            self.own = given
            self.raw_own = dict(self.raw)
            self.raw_own.update((os.fsencode(name), os.fsencode(given[name])) for name in given)
        point(1, call["out"])
        point(2, call["err"])

    def leave(self, call):
        """Returns why this process should not be used again, or None."""
        (sys.stdin, sys.stdout, sys.stderr) = self.streams
        flush()
        os.dup2(self.null, 1)
        os.dup2(self.null, 2)
        if raw_environ() != self.raw_own:
            os.environ.clear()
            os.environ.update(self.environ)
            self.own = {}
        sys.path[:] = self.path
        sys.argv[:] = self.argv
        os.umask(self.umask)
        signal.alarm(0)
        if threading.active_count() > 1:
            return "threads"
        if has_children():
            return "children"
        if self.handlers() != self.signals:
            return "signals"
        return "memory" if self.has_grown(call["code"]) else None

    def has_grown(self, digest):
        if self.statm is None:
            return False
        now = int(os.pread(self.statm, 256, 0).split()[1]) * self.page_bytes
        return now - self.bytes.setdefault(digest, now) > LEAK_BYTES


def raw_environ():
    """Bytes by bytes, as CPython keeps them behind `os.environ`; a copy where it does not."""
    data = getattr(os.environ, "_data", None)
    if isinstance(data, dict):
        return data
    return {os.fsencode(name): os.fsencode(os.environ[name]) for name in os.environ}


def has_children():
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return True
        except ChildProcessError:
            return False
        except OSError:
            return True


def point(stream, path):
    opened = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(opened, stream)
    os.close(opened)


def text_streams():
    """Lines go out when they are complete, whoever follows sees them, and a crash loses little."""
    import io

    for name, stream in (("stdout", 1), ("stderr", 2)):
        raw = open(stream, "wb", 0, closefd=False)
        text = io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", None, True)
        text.mode = "w"
        setattr(sys, name, text)
        setattr(sys, "__%s__" % name, text)


def read_frames(source):
    held = b""
    while True:
        wanted = 4 + struct.unpack("<I", held[:4])[0] if len(held) >= 4 else 4
        if len(held) >= wanted > 4:
            yield json.loads(held[4:wanted].decode("utf-8"))
            held = held[wanted:]
            continue
        parts = [held]
        have = len(held)
        while have < wanted:
            part = os.read(source, max(8192, wanted - have))
            if not part:
                return
            parts.append(part)
            have += len(part)
        held = b"".join(parts)


def write_frame(target, message):
    body = to_json(message).encode("ascii")
    left = memoryview(struct.pack("<I", len(body)) + body)
    while left:
        left = left[os.write(target, left):]


def serve():
    import fcntl

    source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 64)
    target = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 64)
    empty = os.open(os.devnull, os.O_RDWR)
    os.dup2(empty, 0)
    os.dup2(empty, 1)
    os.close(empty)
    text_streams()
    own = os.getpid()
    functions = Functions()
    around = Surroundings()
    write_frame(target, {"version": VERSION, "executable": sys.executable})
    for call in read_frames(source):
        if functions.is_stale(call):
            write_frame(target, {"again": True})
            break
        around.enter(call)
        reply = perform(functions, call)
        if os.getpid() != own:
            # The function forked, and this is the child, which came back: the call is not its to answer.
            os._exit(0)
        left = around.leave(call)
        if left is not None:
            reply["left"] = left
        write_frame(target, reply)
    os._exit(0)


def once(path, reply_path):
    with open(path, "rb") as source:
        call = json.loads(source.read().decode("utf-8"))
    os.unlink(path)
    text_streams()
    own = os.getpid()
    reply = perform(Functions(), call)
    if os.getpid() != own:
        os._exit(0)
    unfinished = reply_path + ".tmp"
    with open(unfinished, "wb") as target:
        target.write(json.dumps(reply).encode("ascii"))
    os.rename(unfinished, reply_path)
    # Not `sys.exit`: threads that it left would be waited for.
    flush()
    os._exit(0)


def main():
    if sys.version_info < (3, 6):
        sys.stderr.write("%s is too old: gc needs Python 3.6 or newer\n" % HERE)
        sys.exit(1)
    import faulthandler

    faulthandler.enable(2)
    program, words = sys.argv[0], sys.argv[1:]
    if os.path.basename(program) == ".gc.runner.py":
        # It came into a container through the sandbox, which is the task's own.
        os.unlink(program)
    sys.argv[:] = [""]
    sys.path[0] = ""
    os.environ.pop("GC_PYTHON_OF", None)
    if words[0] == "serve":
        serve()
    once(words[1], words[2])


if __name__ == "__main__":
    main()
