/** Loaded before every test file: the validators must be those of the schemas as they are now. */
import { generate, validatorsAreStale } from "../scripts/generate.ts";

if (validatorsAreStale()) await generate();
