/**
 * The few system calls that the runtime does not offer. Everything here may be missing: where memory is limited by
 * `ulimit -v`, or code generation is forbidden, there is no foreign function interface (bun.md §2). Callers have
 * another way, or do without.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";

/** System calls by name; each returns false or undefined when it failed. */
export interface Libc {
  /** Orphans below us become our children, so that nothing a task started can hide (prctl(2), Linux only). */
  becomeSubreaper(): boolean;
  /** Takes the exit status of a dead child that the runtime does not know; false if it lives or is none of ours. */
  reap(pid: number): boolean;
  /** A real pipe; both ends close on exec, and writes never block. */
  pipe(): { read: number; write: number } | undefined;
  /** Makes room in a pipe; the kernel may say no. */
  growPipe(fd: number, bytes: number): void;
  /** Processors that the calling thread may run on; its children inherit that. */
  affinity(): number[] | undefined;
  setAffinity(cpus: readonly number[]): boolean;
  /** Soft limit of open files, which children inherit. */
  setSoftNofile(soft: number): boolean;
}

const prSetChildSubreaper = 36;
const wnohang = 1;
const oNonblock = 0o4000;
const oCloexec = 0o2000000;
const fSetFlags = 4;
const fSetPipeSize = 1031;
const rlimitNofile = 7;
/** Room for 8,192 processors; the kernel refuses a mask that is smaller than its own. */
const cpuMaskBytes = 1024;

let loaded: { libc: Libc | undefined } | undefined;

/** The calls, or undefined where they cannot be made. */
export function libc(): Libc | undefined {
  loaded ??= { libc: load() };
  return loaded.libc;
}

function load(): Libc | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    return bind();
  } catch {
    return undefined;
  }
}

function bind(): Libc {
  const { i32, u64, ptr: pointer } = FFIType;
  const { symbols } = dlopen("libc.so.6", {
    prctl: { args: [i32, u64, u64, u64, u64], returns: i32 },
    waitpid: { args: [i32, pointer, i32], returns: i32 },
    pipe2: { args: [pointer, i32], returns: i32 },
    // Variadic in C; on the targets we build for (x86-64 and arm64 Linux) integers travel in the same registers.
    fcntl: { args: [i32, i32, i32], returns: i32 },
    getrlimit: { args: [i32, pointer], returns: i32 },
    setrlimit: { args: [i32, pointer], returns: i32 },
    sched_getaffinity: { args: [i32, u64, pointer], returns: i32 },
    sched_setaffinity: { args: [i32, u64, pointer], returns: i32 },
  });
  const status = new Int32Array(1);
  return {
    becomeSubreaper: () => symbols.prctl(prSetChildSubreaper, 1n, 0n, 0n, 0n) === 0,
    reap: (pid) => symbols.waitpid(pid, ptr(status), wnohang) === pid,
    pipe() {
      const ends = new Int32Array(2);
      if (symbols.pipe2(ptr(ends), oCloexec) !== 0) return undefined;
      const [read = -1, write = -1] = ends;
      symbols.fcntl(write, fSetFlags, oNonblock);
      return { read, write };
    },
    growPipe(fd, bytes) {
      symbols.fcntl(fd, fSetPipeSize, bytes);
    },
    affinity() {
      const mask = new Uint8Array(cpuMaskBytes);
      if (symbols.sched_getaffinity(0, BigInt(cpuMaskBytes), ptr(mask)) < 0) return undefined;
      const cpus: number[] = [];
      for (let cpu = 0; cpu < cpuMaskBytes * 8; cpu++) if (((mask[cpu >> 3] ?? 0) >> (cpu & 7)) & 1) cpus.push(cpu);
      return cpus;
    },
    setAffinity(cpus) {
      const mask = new Uint8Array(cpuMaskBytes);
      for (const cpu of cpus) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7));
      return symbols.sched_setaffinity(0, BigInt(cpuMaskBytes), ptr(mask)) === 0;
    },
    setSoftNofile(soft) {
      const limit = new BigUint64Array(2);
      if (symbols.getrlimit(rlimitNofile, ptr(limit)) !== 0) return false;
      const hard = limit[1] ?? 0n;
      limit[0] = BigInt(soft) < hard ? BigInt(soft) : hard;
      return symbols.setrlimit(rlimitNofile, ptr(limit)) === 0;
    },
  };
}
