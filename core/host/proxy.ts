/**
 * Which proxy leads to a URL, by the variables that everybody uses: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
 * `NO_PROXY`, in either case. WebSockets do not read them by themselves (bun.md §6). Pure: the environment is data.
 */
import { GcError } from "../errors.ts";

type Env = { readonly [name: string]: string | undefined };

/**
 * The proxy to use for `url` (http, https, ws or wss), or undefined to go there directly. Loopback is always direct.
 * @throws GcError config `proxy.malformed` or `proxy.unsupported` (SOCKS) for a proxy that would have to be used.
 */
export function proxyFor(url: URL, env: Env): string | undefined {
  const host = bare(url.hostname);
  if (isLoopback(host)) return undefined;
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const [name, value] = pick(env, secure ? ["HTTPS_PROXY", "ALL_PROXY"] : ["HTTP_PROXY", "ALL_PROXY"]);
  if (value === undefined || isExempt(host, portOf(url, secure), pick(env, ["NO_PROXY"])[1] ?? "")) return undefined;
  let proxy: URL;
  try {
    proxy = new URL(value.includes("://") ? value : `http://${value}`);
  } catch (cause) {
    throw new GcError("config", "proxy.malformed", `The variable ${name} does not hold the URL of a proxy`, { cause });
  }
  if (proxy.protocol === "http:" || proxy.protocol === "https:") return proxy.href;
  const kind = proxy.protocol.slice(0, -1);
  throw new GcError(
    "config",
    "proxy.unsupported",
    `The variable ${name} names a proxy of kind "${kind}"; gc knows http and https`,
    {
      hint: `NO_PROXY=${host} gc …, or set ${name} to an http proxy`,
    },
  );
}

/** Whether `host` (without brackets) is this machine. */
export function isLoopback(host: string): boolean {
  const plain = bare(host).toLowerCase();
  return plain === "localhost" || plain.endsWith(".localhost") || plain === "::1" || /^127\.\d+\.\d+\.\d+$/.test(plain);
}

/** The first variable that is set and not empty; lower case wins, as in curl. */
function pick(env: Env, names: readonly string[]): [string, string | undefined] {
  for (const name of names) {
    for (const spelt of [name.toLowerCase(), name]) {
      const value = env[spelt]?.trim();
      if (value) return [spelt, value];
    }
  }
  return [names[0] ?? "", undefined];
}

function isExempt(host: string, port: number, list: string): boolean {
  return list.split(/[\s,]+/).some((entry) => entry !== "" && matches(entry.toLowerCase(), host.toLowerCase(), port));
}

/** One entry of NO_PROXY: `*`, a name, `.domain`, `*.domain`, an address, an IPv4 range; names with a port too. */
function matches(entry: string, host: string, port: number): boolean {
  if (entry === "*") return true;
  const range = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(entry);
  if (range) return inRange(host, range[1] ?? "", Number(range[2]));
  const withPort = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry);
  if (withPort && Number(withPort[2]) !== port) return false;
  const name = bare(withPort?.[1] ?? entry).replace(/^\*?\./, "");
  return host === name || host.endsWith(`.${name}`);
}

function inRange(host: string, network: string, bits: number): boolean {
  const [a, b] = [addressOf(host), addressOf(network)];
  if (a === undefined || b === undefined || bits > 32) return false;
  const size = 2 ** (32 - bits);
  return Math.floor(a / size) === Math.floor(b / size);
}

function addressOf(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number);
  if (parts === undefined || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}

function portOf(url: URL, secure: boolean): number {
  return url.port === "" ? (secure ? 443 : 80) : Number(url.port);
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, "");
}
