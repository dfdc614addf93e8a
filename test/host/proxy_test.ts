/** Which proxy leads where. */
import { expect, test } from "bun:test";
import { isLoopback, proxyFor } from "../../core/host/proxy.ts";

const to = (url: string, env: { [name: string]: string }): string | undefined => proxyFor(new URL(url), env);

test("HTTPS_PROXY serves https and wss, HTTP_PROXY http and ws, ALL_PROXY both", () => {
  const env = { HTTPS_PROXY: "http://s:1", HTTP_PROXY: "http://p:2" };
  expect(to("wss://relay.example", env)).toBe("http://s:1/");
  expect(to("https://relay.example", env)).toBe("http://s:1/");
  expect(to("ws://relay.example", env)).toBe("http://p:2/");
  expect(to("wss://relay.example", { ALL_PROXY: "http://a:3" })).toBe("http://a:3/");
  expect(to("wss://relay.example", { HTTP_PROXY: "http://p:2" })).toBeUndefined();
});

test("lower case wins, empty counts as not set, a bare host is an http proxy", () => {
  expect(to("wss://r.example", { https_proxy: "http://low:1", HTTPS_PROXY: "http://up:1" })).toBe("http://low:1/");
  expect(to("wss://r.example", { https_proxy: " ", HTTPS_PROXY: "http://up:1" })).toBe("http://up:1/");
  expect(to("wss://r.example", { HTTPS_PROXY: "proxy.site:3128" })).toBe("http://proxy.site:3128/");
  expect(to("wss://r.example", { HTTPS_PROXY: "http://me:s%20ecret@proxy:3128" })).toBe(
    "http://me:s%20ecret@proxy:3128/",
  );
});

test("NO_PROXY knows names, domains, addresses, ranges, ports and the star", () => {
  const via = (no_proxy: string, url: string): boolean =>
    to(url, { HTTPS_PROXY: "http://p:1", NO_PROXY: no_proxy }) !== undefined;
  expect(via("relay.example", "wss://relay.example")).toBe(false);
  expect(via("example", "wss://relay.example")).toBe(false);
  expect(via(".example", "wss://relay.example")).toBe(false);
  expect(via("*.example", "wss://relay.example")).toBe(false);
  expect(via("xample", "wss://relay.example")).toBe(true);
  expect(via("RELAY.Example", "wss://relay.example")).toBe(false);
  expect(via("a.b, relay.example", "wss://relay.example")).toBe(false);
  expect(via("relay.example:8443", "wss://relay.example")).toBe(true);
  expect(via("relay.example:8443", "wss://relay.example:8443")).toBe(false);
  expect(via("10.0.0.0/8", "wss://10.2.3.4")).toBe(false);
  expect(via("10.0.0.0/8", "wss://11.2.3.4")).toBe(true);
  expect(via("0.0.0.0/0", "wss://11.2.3.4")).toBe(false);
  expect(via("10.1.1.1/32", "wss://10.1.1.2")).toBe(true);
  expect(via("[fd00::1]", "wss://[fd00::1]")).toBe(false);
  expect(via("*", "wss://relay.example")).toBe(false);
  expect(via("", "wss://relay.example")).toBe(true);
});

test("loopback is always reached directly", () => {
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "x.localhost"]) {
    expect(to(`ws://${host}:1`, { HTTP_PROXY: "http://p:1" })).toBeUndefined();
    expect(isLoopback(host)).toBe(true);
  }
  for (const host of ["128.0.0.1", "127.0.0.1.example", "localhost.example"]) expect(isLoopback(host)).toBe(false);
});

test("a SOCKS proxy or a malformed one is named, not ignored; but only where it would be used", () => {
  expect(() => to("wss://r.example", { ALL_PROXY: "socks5://p:1080" })).toThrow('"socks5"');
  expect(() => to("wss://r.example", { HTTPS_PROXY: "http://" })).toThrow("HTTPS_PROXY");
  expect(to("wss://r.example", { ALL_PROXY: "socks5://p:1080", NO_PROXY: "r.example" })).toBeUndefined();
});
