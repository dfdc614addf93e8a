/**
 * Makes processes believe in another time: a small library that is loaded before theirs and adds an offset to the wall
 * clock. Compiled on the spot; where there is no C compiler the tests that need it are left out.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Why there is no wrong clock here; undefined when there can be one. */
export const noWrongClock =
  process.platform !== "linux" ? "not Linux" : Bun.which("cc") === null ? "there is no C compiler" : undefined;

const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  const char *by = getenv("WRONG_BY_S");
  int answer = real(id, t);
  if (by && answer == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) t->tv_sec += atol(by);
  return answer;
}
int gettimeofday(struct timeval *t, void *zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}
`;

/** The library, as a file in `folder`. */
export function wrongClockIn(folder: string): string {
  const code = join(folder, "wrong_clock.c");
  const library = join(folder, "wrong_clock.so");
  writeFileSync(code, source);
  const made = Bun.spawnSync(["cc", "-shared", "-fPIC", "-o", library, code, "-ldl"], { stderr: "pipe" });
  if (!made.success) throw new Error(`cc: ${made.stderr.toString()}`);
  return library;
}

/** The environment of a process whose clock is wrong by so many seconds. */
export function wrongBy(library: string, offset_s: number): { [name: string]: string } {
  return { LD_PRELOAD: library, WRONG_BY_S: String(offset_s) };
}
