/** OpenLava, a relative of LSF 7. Seen at work: 4.0dev4. Like LSF, but for what it prints and cannot be asked. */
import type { Profile } from "../profile.ts";
import { lsfDirectives } from "./directives.ts";
import { bjobsLong } from "./long_form.ts";
import { lsf, probed } from "./lsf.ts";
import { readShort } from "./short_form.ts";

export const openlava: Profile = {
  ...lsf,
  name: "openlava",
  title: "OpenLava",
  refuses: [...lsf.refuses, "by_nodes", "gpus_per_node", "reservation"],
  readProbe: (answers) => probed(answers, /^OpenLava (\S+?),/im),
  directives: (request) => lsfDirectives(request, "openlava"),
  observe: bjobsLong,
  find: { command: "bjobs", args: ["-w", "-a", "-noheader"], read: readShort },
};
