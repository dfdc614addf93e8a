/**
 * Mistakes and sudden deaths on purpose, in test builds only: the simulation must find each planted bug, and real
 * processes die at named crash points. The define `GC_TEST_BUILD` is false everywhere else, and then the compiler
 * removes all of it.
 */
declare const GC_TEST_BUILD: boolean | undefined;

const testBuild = typeof GC_TEST_BUILD !== "undefined" && GC_TEST_BUILD === true;

/** Whether the planted bug `name` is switched on (`GC_PLANTED`, comma separated). */
export function planted(name: string): boolean {
  return testBuild && (process.env.GC_PLANTED ?? "").split(",").includes(name);
}

/** Dies here, as by kill -9, when `GC_CRASH_POINT` is `name`. */
export function crashPoint(name: string): void {
  if (testBuild && process.env.GC_CRASH_POINT === name) process.kill(process.pid, "SIGKILL");
}
