/** A site where every command of a scheduler is in /usr/bin. */
import type { Profile } from "../../providers/profile.ts";
import type { Site } from "../../providers/provider.ts";

export function siteOf(profile: Profile): Site {
  return { commands: Object.fromEntries(profile.commands.map((name) => [name, `/usr/bin/${name}`])) };
}
