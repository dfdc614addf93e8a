/**
 * Which gc this is. `scripts/build` puts version and commit in as constants; from sources the version is the one of
 * `package.json`. Imported by the fast path of `gc.ts`, so it loads nothing else.
 */
import { version as sourceVersion } from "../package.json";

declare const GC_VERSION: string;
declare const GC_COMMIT: string;

/** Version of this program, such as `0.1.0`. */
export const version: string = typeof GC_VERSION === "string" ? GC_VERSION : sourceVersion;

/** Commit that this program was built from, or `source` when it runs from sources. */
export const commit: string = typeof GC_COMMIT === "string" ? GC_COMMIT : "source";
