/** How gc starts itself again: as a daemon, as a worker, as a helper. */

/**
 * The first words of a command line that runs this very program: the executable, or, from sources, Bun and `cmd/gc.ts`.
 * In the executable `process.argv` holds invented paths, so `process.execPath` is the only true name (bun.md §3).
 */
export function selfArgv(): string[] {
  if (Bun.isStandaloneExecutable) return [process.execPath];
  return [process.execPath, Bun.fileURLToPath(new URL("../../cmd/gc.ts", import.meta.url))];
}
