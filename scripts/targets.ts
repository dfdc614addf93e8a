/**
 * The machines gc is built for. One Linux build per processor is enough: it needs glibc 2.17 (RHEL 7 and later) and
 * x86-64-v2, and chooses wider instructions at run time; musl builds would still need libstdc++ (bun.md §2).
 */

/** One target: Bun's name for it, and the name its file gets. */
export interface Target {
  readonly bun: Bun.Build.CompileTarget;
  readonly file: string;
}

export const targets = [
  { bun: "bun-linux-x64", file: "gc-linux-x64" },
  { bun: "bun-linux-arm64", file: "gc-linux-arm64" },
  { bun: "bun-darwin-arm64", file: "gc-darwin-arm64" },
  { bun: "bun-darwin-x64", file: "gc-darwin-x64" },
] as const satisfies readonly Target[];
