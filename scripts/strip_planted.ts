/**
 * Takes planted bugs and crash points out of a release build, names and all. The minifier would keep the calls, with
 * their strings, because it does not look into functions of other modules. Every call is overwritten in place, so lines
 * and columns of stack traces stay true.
 */
import type { BunPlugin } from "bun";

const plantedCall = /\bplanted\(\s*"[^"\n]*"\s*,?\s*\)/g;
const crashPointCall = /\bcrashPoint\(\s*"[^"\n]*"\s*,?\s*\)/g;

/** `source` without the calls: `planted("x")` becomes `false`, `crashPoint("x")` becomes `void 0`. */
export function withoutPlanted(source: string): string {
  return source
    .replace(plantedCall, (call) => padded("false", call))
    .replace(crashPointCall, (call) => padded("void 0", call));
}

/** A bundler plugin that does this to every source of ours. */
export const stripPlanted: BunPlugin = {
  name: "strip-planted",
  setup(build) {
    build.onLoad({ filter: /\/(core|cmd|providers|sdk)\/.*\.ts$/ }, async ({ path }) => {
      const source = await Bun.file(path).text();
      return { contents: path.endsWith("/core/planted.ts") ? source : withoutPlanted(source), loader: "ts" };
    });
  },
};

function padded(text: string, call: string): string {
  return text + call.slice(text.length).replace(/[^\n]/g, " ");
}
