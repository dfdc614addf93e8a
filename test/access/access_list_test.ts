/** Every cell of the access table, written down a second time as a person would say it. */
import { describe, expect, test } from "bun:test";
import { AccessList, type AccessSource, access, type Standing, type Verb } from "../../core/access/access_list.ts";
import { codeOf } from "./people.ts";

const owner = "owner-id";
const listed = "listed-id";
const stranger = "stranger-id";
const closed: AccessSource = { owner, users: [listed], public: false, deny: [] };

/** Who may do what: o(wner), u(ser on the list), a(nybody when public), s(tranger), d(enied). */
const wanted: { readonly [V in Verb]: string } = {
  submit: "oua",
  cancel_own: "ouas",
  cancel_any: "o",
  follow_own: "ouas",
  follow_any: "",
  see_status: "oua",
  read_log: "o",
  order: "o",
};

const people: { readonly [S in Standing]: { source: AccessSource; who: string; letter: string } } = {
  owner: { source: closed, who: owner, letter: "o" },
  user: { source: closed, who: listed, letter: "u" },
  anybody: { source: { ...closed, public: true }, who: stranger, letter: "a" },
  stranger: { source: closed, who: stranger, letter: "s" },
  denied: { source: { ...closed, public: true, users: [listed], deny: [listed] }, who: listed, letter: "d" },
};

describe("AccessList", () => {
  test("the table has exactly the rows and columns that are tested", () => {
    expect(Object.keys(access).sort()).toEqual(Object.keys(wanted).sort());
    for (const row of Object.values(access)) expect(Object.keys(row).sort()).toEqual(Object.keys(people).sort());
  });

  for (const verb of Object.keys(wanted) as Verb[]) {
    for (const [standing, { source, who, letter }] of Object.entries(people)) {
      const may = wanted[verb].includes(letter);
      test(`${standing} ${may ? "may" : "may not"} ${verb}`, async () => {
        const list = new AccessList(source);
        expect(list.standing(who)).toBe(standing as Standing);
        expect(list.allows(who, verb)).toBe(may);
        expect(await codeOf(() => list.require(who, verb, "endpoint-id"))).toBe(may ? "" : "access.denied");
      });
    }
  }

  test("a denial beats the list, the public and the owner", () => {
    const all = new AccessList({ owner, users: [owner, listed], public: true, deny: [owner, listed, stranger] });
    for (const who of [owner, listed, stranger]) {
      expect(all.standing(who)).toBe("denied");
      for (const verb of Object.keys(wanted) as Verb[]) expect(all.allows(who, verb)).toBe(false);
    }
  });

  test("an empty list lets nobody in but the owner, and a list without an owner has none", () => {
    const empty = new AccessList({ owner, users: [], public: false, deny: [] });
    expect(empty.allows(listed, "submit")).toBe(false);
    expect(empty.allows(owner, "submit")).toBe(true);
    const copy = new AccessList({ users: [listed], public: false, deny: [] });
    expect(copy.allows(listed, "submit")).toBe(true);
    for (const who of ["", "undefined", owner]) expect(copy.allows(who, "order")).toBe(false);
  });

  test("ids are compared whole: neither a beginning nor another case of one counts", () => {
    const list = new AccessList(closed);
    for (const who of [listed.slice(0, -1), `${listed}x`, listed.toUpperCase(), ` ${listed}`, "", "*", "__proto__"]) {
      expect(list.allows(who, "submit")).toBe(false);
    }
  });
});
