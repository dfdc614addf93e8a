/** A proof is good for one relay, one nonce, one role, one id and one protocol. */
import { expect, test } from "bun:test";
import { authBytes, type Claim, helloBytes } from "../../core/access/challenge.ts";
import { principal } from "./people.ts";

const relay = principal("relay", "here");
const claim: Claim = { relay_id: relay.id, nonce: "ab".repeat(32), role: "user", id: "someone", proto: 1 };

test("authBytes() differ when anything claimed differs", () => {
  const others: Claim[] = [
    claim,
    { ...claim, relay_id: principal("relay", "elsewhere").id },
    { ...claim, nonce: "ac".repeat(32) },
    { ...claim, role: "endpoint" },
    { ...claim, id: "someone else" },
    { ...claim, proto: 2 },
    { ...claim, id: "someone\0" },
    { ...claim, id: "someone\x001" },
    { ...claim, id: "" },
  ];
  expect(new Set(others.map((one) => Buffer.from(authBytes(one)).toString("hex"))).size).toBe(others.length);
});

test("what is signed in a hello can be taken neither for an auth nor for an envelope", () => {
  const text = Buffer.from(helloBytes(claim.nonce, relay.id)).toString("latin1");
  expect(text.startsWith("gc-hello-v1\0")).toBe(true);
  expect(Buffer.from(authBytes(claim)).toString("latin1").startsWith("gc-auth-v1\0")).toBe(true);
});
