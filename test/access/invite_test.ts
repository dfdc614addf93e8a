/** An invite comes back as it was made, or not at all; the relay can check its secret without knowing it. */
import { describe, expect, test } from "bun:test";
import {
  formatInvite,
  hashInviteSecret,
  inviteSecretFits,
  inviteToken,
  makeInvite,
  parseInvite,
  readInviteToken,
} from "../../core/access/invite.ts";
import { codeOf, principal, seeded } from "./people.ts";

const about = {
  url: "wss://relay.example:7143",
  relay_id: principal("relay", "here").id,
  cert_sha256: "0f".repeat(32),
  role: "endpoint",
} as const;
const invite = makeInvite(about, seeded("invite"));
const text = formatInvite(invite);

describe("formatInvite() and parseInvite()", () => {
  test("carry everything, with and without a certificate", () => {
    expect(text).toMatch(/^gcj1\.[A-Za-z0-9_-]+$/);
    expect(parseInvite(text)).toEqual(invite);
    const { cert_sha256: _, ...rest } = about;
    const plain = makeInvite({ ...rest, role: "user" }, seeded("other"));
    expect(parseInvite(formatInvite(plain))).toEqual(plain);
  });

  test("do not mind how a terminal or a mail program broke the line", () => {
    expect(parseInvite(`  ${text.slice(0, 40)}\r\n   ${text.slice(40)}\n`)).toEqual(invite);
  });

  test("refuse an invite that was cut, extended or changed into another shape, and never repeat it", async () => {
    const other = (value: unknown): string => `gcj1.${Buffer.from(JSON.stringify(value)).toString("base64url")}`;
    const bad = [
      "",
      "gcj1.",
      "hello",
      text.slice(5),
      text.slice(0, -1),
      text.slice(0, 60),
      text.replace("gcj1", "gcj2"),
      other({}),
      other([]),
      other(null),
      other({ ...invite, extra: 1 }),
      other({ ...invite, url: "http://relay.example" }),
      other({ ...invite, url: "file:///etc/passwd" }),
      other({ ...invite, role: "relay" }),
      other({ ...invite, secret: "short" }),
      other({ ...invite, cert_sha256: "AB" }),
      other({ ...invite, relay_id: "not an id" }),
      `gcj1.${"A".repeat(100_000)}`,
    ];
    for (const one of bad) {
      expect(await codeOf(() => parseInvite(one))).toBe("invite.malformed");
      try {
        parseInvite(one);
      } catch (error) {
        expect(String(error)).not.toContain(invite.secret);
      }
    }
  });
});

describe("the secret of an invite", () => {
  test("differs from invite to invite and has 128 bits", () => {
    const random = seeded("many");
    const secrets = Array.from({ length: 100 }, () => makeInvite(about, random));
    expect(new Set(secrets.map((one) => one.secret)).size).toBe(100);
    expect(new Set(secrets.map((one) => one.id)).size).toBe(100);
    expect(Buffer.from(invite.secret, "base64url").byteLength).toBe(16);
  });

  test("fits the hash that was kept of it and no other", () => {
    const kept = hashInviteSecret(invite.secret);
    expect(kept).toMatch(/^[0-9a-f]{64}$/);
    expect(kept).not.toContain(invite.secret);
    expect(inviteSecretFits(invite.secret, kept)).toBe(true);
    expect(inviteSecretFits(`${invite.secret}A`, kept)).toBe(false);
    expect(inviteSecretFits("", kept)).toBe(false);
    expect(inviteSecretFits(invite.secret, "")).toBe(false);
    expect(inviteSecretFits(invite.secret, kept.slice(2))).toBe(false);
  });

  test("travels in auth as <id>.<secret>, which fits there", () => {
    const token = inviteToken(invite);
    expect(token.length).toBeLessThanOrEqual(128);
    expect(readInviteToken(token)).toEqual({ id: invite.id, secret: invite.secret });
    for (const bad of [
      "",
      ".",
      token.slice(1),
      `${token}x`,
      `${token}\n`,
      token.replace(".", ""),
      token.toUpperCase(),
    ]) {
      expect(readInviteToken(bad)).toBeUndefined();
    }
  });
});
