/** Checks of the way to the relay: name, proxy, link with proof of both sides, clock. */
import { existsSync } from "node:fs";
import { type Context, currentContext } from "../../core/config/context.ts";
import { readIdentity } from "../../core/config/identity.ts";
import { GcError, messageOf } from "../../core/errors.ts";
import { proxyFor } from "../../core/host/proxy.ts";
import { openLink, principalSelf } from "../../core/wire/link.ts";
import type { Cli } from "../cli.ts";
import { addressText } from "../context/list.ts";
import { type Check, failed } from "./check.ts";

const answerTimeout_ms = 5000;
/** Task expiry is by the relay's clock and nothing is signed by time, so a wrong clock only misleads people. */
const clockOff_ms = 60_000;
/** gc did not exist before. */
const earliest_ms = Date.UTC(2025, 0, 1);

/** All checks of the current relay. */
export async function checkRelay(cli: Cli): Promise<Check[]> {
  let context: Context;
  try {
    context = currentContext(cli.home, cli.env, cli.context);
  } catch (error) {
    return [failed("relay", error, "gc context list"), checkClock(cli, undefined)];
  }
  const { address } = context;
  if (address.kind === "unix" && !existsSync(address.path)) {
    const message = "The relay of this machine is not running; it starts by itself when it is needed";
    return [{ name: "relay", status: "info", message, next: "gc relay up" }, checkClock(cli, undefined)];
  }
  const checks: Check[] = [
    ...(address.kind === "url" ? [checkProxy(cli, address.url)] : []),
    await checkLink(cli, context),
  ];
  const date_ms = address.kind === "url" ? await dateOf(address.url) : undefined;
  return [...checks, checkClock(cli, date_ms)];
}

function checkProxy(cli: Cli, url: string): Check {
  const name = "proxy";
  try {
    const proxy = proxyFor(new URL(url), cli.env);
    if (proxy === undefined) return { name, status: "ok", message: "No proxy is in the way" };
    return { name, status: "info", message: `Links go through ${proxy.replace(/\/\/[^/@]*@/, "//***@")}` };
  } catch (error) {
    return failed(name, error);
  }
}

async function checkLink(cli: Cli, { name, address }: Context): Promise<Check> {
  const what = `"${name}" (${addressText(address)})`;
  const identity = readIdentity(cli.home);
  if (identity === undefined)
    return { name: "relay", status: "info", message: `Not asked: no user key yet for ${what}` };
  const instance = Buffer.from(cli.host.random.bytes(16)).toString("hex");
  try {
    const before = cli.host.clock.monotonic();
    const link = await openLink(
      address,
      principalSelf(identity, { instance }),
      { up() {}, messages() {}, down() {} },
      cli.host,
    );
    const took_ms = cli.host.clock.monotonic() - before;
    link.close("doctor");
    return {
      name: "relay",
      status: "ok",
      message: `${what} answered, and both sides proved themselves (${took_ms.toFixed(0)} ms)`,
    };
  } catch (error) {
    const hint = error instanceof GcError ? error.hint : undefined;
    const next = hint ?? (address.kind === "unix" ? "gc relay up" : `ask whoever runs ${addressText(address)}`);
    return { name: "relay", status: "fail", message: `${what} did not let us in: ${messageOf(error)}`, next };
  }
}

/** What time the relay's HTTP side says it is; not trusted for anything but this comparison. */
async function dateOf(url: string): Promise<number | undefined> {
  try {
    const response = await fetch(new URL("/health", url.replace(/^ws/, "http")), {
      tls: { rejectUnauthorized: false },
      signal: AbortSignal.timeout(answerTimeout_ms),
    });
    const date_ms = Date.parse(response.headers.get("date") ?? "");
    return Number.isNaN(date_ms) ? undefined : date_ms;
  } catch {
    return undefined;
  }
}

function checkClock(cli: Cli, relay_ms: number | undefined): Check {
  const name = "clock";
  const now_ms = cli.host.clock.now();
  const shown = new Date(now_ms).toISOString();
  const next = "ask for time synchronisation (chrony, ntp)";
  if (now_ms < earliest_ms) return { name, status: "warn", message: `It says ${shown}, which is past`, next };
  if (relay_ms === undefined) return { name, status: "ok", message: `It says ${shown}` };
  const off_ms = now_ms - relay_ms;
  if (Math.abs(off_ms) <= clockOff_ms) return { name, status: "ok", message: `It agrees with the relay's (${shown})` };
  const seconds = Math.round(Math.abs(off_ms) / 1000);
  const side = off_ms > 0 ? "ahead of" : "behind";
  const message = `It is ${seconds} s ${side} the relay's: tasks still work, times mislead`;
  return { name, status: "warn", message, next };
}
