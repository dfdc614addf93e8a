/** Stands for `settings_validators.js`, which `scripts/generate.ts` writes. Only `validate_settings.ts` imports it. */
export {};
