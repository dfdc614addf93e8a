/** The fake schedulers, by the names that gc has for the real ones. */
import { cobalt } from "./cobalt.ts";
import { gridengine } from "./gridengine.ts";
import { lsf } from "./lsf.ts";
import { openlava } from "./openlava.ts";
import { openpbs } from "./openpbs.ts";
import type { Speaker } from "./speaker.ts";
import { torque } from "./torque.ts";

const speakers: { readonly [scheduler: string]: Speaker } = {
  pbspro: openpbs,
  torque,
  lsf,
  openlava,
  cobalt,
  gridengine,
};

/** @throws Error for a scheduler that has no fake. */
export function speakerOf(scheduler: string): Speaker {
  const found = speakers[scheduler];
  if (found === undefined) throw new Error(`There is no fake of "${scheduler}"`);
  return found;
}
