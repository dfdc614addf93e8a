/** The name and version by which this program introduces itself in `hello` and `auth`. */

declare const GC_VERSION: string | undefined;

/** `gc/0.1.0`; `gc/dev` when it runs from sources. */
export const software = `gc/${typeof GC_VERSION === "string" ? GC_VERSION : "dev"}`;
