/**
 * What an endpoint pays for links on which nothing happens: one to a relay, four from workers. Run as a program it
 * prints CPU milliseconds for ten minutes' worth of heartbeats, made 100 times faster, without the cost of starting.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { keepLink, listen } from "../../core/wire/link.ts";
import type { Timing } from "../../core/wire/session.ts";
import { newUser, openRelay, quietHost, Witness } from "./parties.ts";

const hundredfold: Timing = { auth_ms: 10_000, ping_ms: 200, silence_ms: 600 };
const workers = 4;

async function endpoint(dir: string): Promise<void> {
  const host = quietHost();
  const seen = new Witness();
  const mine = new Witness();
  const relayPath = join(dir, "relay.sock");
  const hall = join(dir, "hall.sock");
  await listen({ unix: hall }, openRelay(), seen, host, undefined, hundredfold);
  const others = Bun.spawn([process.execPath, fileURLToPath(import.meta.url), "others", relayPath, hall], {
    stdout: "pipe",
    stderr: "inherit",
  });
  await others.stdout.getReader().read();
  keepLink({ kind: "unix", path: relayPath }, newUser(), mine, host, hundredfold);
  await seen.until((w) => w.ups.length === workers, "the workers");
  await mine.until((w) => w.ups.length === 1, "the relay");
  await Bun.sleep(1000);
  const before = process.cpuUsage();
  await Bun.sleep(6000);
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpu_ms: (user + system) / 1000, lost: seen.downs.length + mine.downs.length }));
  others.kill("SIGKILL");
  process.exit(0);
}

async function others(relayPath: string, hall: string): Promise<void> {
  const host = quietHost();
  await listen({ unix: relayPath }, openRelay(), new Witness(), host, undefined, hundredfold);
  for (let at = 0; at < workers; at++) {
    keepLink({ kind: "unix", path: hall }, newUser(), new Witness(), host, hundredfold);
  }
  console.log("ready");
}

if (import.meta.main) {
  const [role, first, second] = process.argv.slice(2);
  if (role === "others") await others(first ?? "", second ?? "");
  else await endpoint(first ?? ".");
}
