/**
 * Stands for `validators.js`, which `scripts/generate.ts` writes: one function per schema, exported under the schema's
 * `$id`. Only `validate.ts` imports it, and looks the functions up by name.
 */
export {};
