/** Questions and orders to the running relay of this home folder, over its Unix socket. */
import { type ErrorKind, exitCodeByKind, GcError, messageOf } from "../core/errors.ts";
import type { Cli } from "./cli.ts";

const answerTimeout_ms = 60_000;

/**
 * Asks `/admin/…`. Undefined when no relay runs.
 * @throws GcError that the relay answered with.
 */
export async function askRelay<T>(
  cli: Cli,
  method: "GET" | "POST",
  path: string,
  body?: object,
): Promise<T | undefined> {
  let response: Response;
  try {
    response = await fetch(`http://relay/admin/${path}`, {
      unix: cli.home.socket("relay"),
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(answerTimeout_ms),
    });
  } catch (error) {
    cli.host.log.debug("relay.no_answer", { why: messageOf(error) });
    return undefined;
  }
  const answer: unknown = await response.json();
  if (response.ok) return answer as T;
  const { error } = answer as { error?: { kind?: string; code?: string; message?: string; hint?: string } };
  const kind = error?.kind !== undefined && error.kind in exitCodeByKind ? (error.kind as ErrorKind) : "unavailable";
  throw new GcError(kind, error?.code ?? "relay.failed", error?.message ?? `The relay answered ${response.status}`, {
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
  });
}

/** As `askRelay`. @throws GcError unavailable `relay.not_running` when no relay runs. */
export async function orderRelay<T>(cli: Cli, method: "GET" | "POST", path: string, body?: object): Promise<T> {
  const answer = await askRelay<T>(cli, method, path, body);
  if (answer !== undefined) return answer;
  throw new GcError("unavailable", "relay.not_running", "The relay of this home folder does not run", {
    hint: "gc relay up --detach",
  });
}
