/** A configuration is read, or refused with the place of the mistake and what was meant. */
import { describe, expect, test } from "bun:test";
import { commentedYaml } from "../../core/config/commented_yaml.ts";
import { parseEndpointConfig } from "../../core/config/endpoint_config.ts";
import { GcError } from "../../core/errors.ts";
import { endpointConfigSchema } from "../../core/schema/config.ts";

const user = "0d757e2c-e4b6-883c-b854-d8a17f7e649b";
const read = (text: string) => parseEndpointConfig(Buffer.from(text), "config.yaml");

function refusal(text: string | Uint8Array): GcError {
  try {
    parseEndpointConfig(typeof text === "string" ? Buffer.from(text) : text, "config.yaml");
  } catch (error) {
    if (error instanceof GcError) return error;
    throw error;
  }
  throw new Error("It was not refused");
}

describe("parseEndpointConfig()", () => {
  test("fills in every default that does not depend on the machine", () => {
    expect(read("engine: {type: local}")).toEqual({
      engine: { type: "local", workers: 1 },
      allow: { users: [], public: false, deny: [] },
      env: {},
      log_level: "info",
    });
  });

  test("keeps what was said", () => {
    const config = read(
      `engine: {type: local, slots: 3}\nallow: {users: ["${user}"]}\nenv: {A: b}\ncommands: [{argv: [hostname]}]\n`,
    );
    expect(config.engine).toMatchObject({ slots: 3 });
    expect(config.allow.users).toEqual([user]);
    expect(config.env).toEqual({ A: "b" });
    expect(config.commands).toEqual([{ argv: ["hostname"] }]);
  });

  test("reads a schedule, with the time zone of the machine where it names none", () => {
    const text = 'engine: {type: batch, scheduler: slurm}\nschedule: {windows: [{from: "0 18 * * mon-fri", for: 14h}]}';
    expect(read(text).schedule).toEqual({
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      windows: [{ from: "0 18 * * mon-fri", for_s: 14 * 3600 }],
      pauses: [],
      running_blocks: "keep",
    });
  });

  test("keeps the worker_init of a Globus Compute endpoint on this machine", () => {
    const { engine, worker_init } = read(
      "engine: {type: GlobusComputeEngine, provider: {type: LocalProvider, worker_init: module load x}}",
    );
    expect(engine.type).toBe("local");
    expect(worker_init).toBe("module load x");
  });

  test("takes a key below which all is commented out for absent", () => {
    expect(read("engine: {type: local}\nallow:\n  # users: []\n").allow.public).toBe(false);
  });

  const mistakes: [what: string, text: string, place: string, words: string][] = [
    ["a mistyped key", "engine:\n  type: local\n  slot: 3\n", "3:3", 'did you mean "slots"?'],
    ["a mistyped required key", "engnie:\n  type: local\n", "1:1", 'did you mean "engine"?'],
    ["a key in the wrong place", "engine: {type: local}\nslots: 3\n", "2:1", 'belongs under "engine"'],
    ["an unknown key", "engine: {type: local}\nfoo: 1\n", "2:1", "known here: display_name"],
    ["an unknown engine", "engine:\n  type: slrum\n", "2:9", 'not one of "local"'],
    ["a mistyped word", "engine: {type: local}\nlog_level: inof\n", "2:12", 'did you mean "info"?'],
    ["a number too small", "engine: {type: local, slots: 0}\n", "1:30", '"engine.slots" is 0'],
    ["more workers than slots", "engine: {type: local, slots: 1, workers: 2}\n", "1:42", "more than the 1 slots"],
    ["a name where an id belongs", "engine: {type: local}\nallow: {users: [me]}\n", "2:17", "must be a full id"],
    ["a bad variable name", "engine: {type: local}\nenv: {1A: b}\n", "2:7", "cannot name a variable"],
    ["a command of neither kind", "engine: {type: local}\ncommands: [{}]\n", "2:12", "either"],
    ["the same key twice", "engine: {type: local}\nengine: {type: local}\n", "2:1", "unique"],
    ["a tag", "engine: !!js/function 'x'\n", "1:9", "tag"],
    ["broken YAML", "engine: {type: local\n", "2:1", "not plain YAML"],
    ["a second document", "engine: {type: local}\n---\nengine: {type: local}\n", "2:1", "not plain YAML"],
  ];
  const blocks = "engine: {type: batch, scheduler: slurm}\nschedule:\n";
  const badSchedules: typeof mistakes = [
    ["a field out of range", `${blocks}  windows:\n  - {from: "61 18 * * *", for: 1h}\n`, "4:12", "range 0-59"],
    ["a mistyped day", `${blocks}  windows:\n  - {from: "0 18 * * mon-fry", for: 1h}\n`, "4:12", '"fry"'],
    ["too few fields", `${blocks}  windows:\n  - {from: "0 18", for: 1h}\n`, "4:12", "has 2 fields, not the five"],
    ["a random time", `${blocks}  pauses:\n  - {from: "H 3 * * *", for: 1h}\n`, "4:12", "no fixed time"],
    ["an unknown word", `${blocks}  pauses:\n  - {from: "@nightly", for: 1h}\n`, "4:12", "none of @yearly"],
    ["a day that never comes", `${blocks}  pauses:\n  - {from: "0 0 30 2 *", for: 1h}\n`, "4:12", "30 2"],
    ["a bad end", `${blocks}  windows:\n  - from: "0 18 * * *"\n    until: "0 25 * * *"\n`, "5:12", "range 0-23"],
    ["no end", `${blocks}  windows:\n  - {from: "0 18 * * *"}\n`, "4:5", 'either "for" or "until"'],
    ["two ends", `${blocks}  windows:\n  - {from: "@daily", for: 1h, until: "@hourly"}\n`, "4:5", "either"],
    ["no length", `${blocks}  windows:\n  - {from: "@daily", for: 0m}\n`, "4:27", "never be open"],
    ["a made up zone", `${blocks}  timezone: Mars/One\n  pauses: [{from: "@daily", for: 1h}]\n`, "3:13", "IANA"],
    ["an empty schedule", `${blocks}  running_blocks: keep\n`, "3:3", 'neither "windows" nor "pauses"'],
    ["no blocks", 'engine: {type: local}\nschedule: {windows: [{from: "@daily", for: 1h}]}\n', "2:11", "blocks"],
  ];
  test.each([...mistakes, ...badSchedules])(
    "names line and column of %s, and what would be right",
    (_, text, place, words) => {
      const error = refusal(text);
      expect(error.kind).toBe("config");
      expect(error.message).toContain(`(config.yaml:${place})`);
      expect(error.message).toContain(words);
      expect(error.hint).toBe(`\${EDITOR:-vi} +${place.split(":")[0]} config.yaml`);
    },
  );

  const bombs: [what: string, text: string | Uint8Array, code: string][] = [
    ["aliases that multiply", billionLaughs(), "config.aliases"],
    ["an alias of itself", "a: &x [*x]\n", "config."],
    ["open brackets", "[".repeat(100_000), "config.too_deep"],
    ["nested sequences on one line", "- ".repeat(50_000), "config.too_deep"],
    ["nested keys on one line", "? ".repeat(50_000), "config.too_deep"],
    [
      "ever deeper indentation",
      Array.from({ length: 600 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""),
      "config.too_deep",
    ],
    ["half a megabyte", `# ${"x".repeat(512 * 1024)}\n`, "config.too_large"],
    ["bytes that are no text", new Uint8Array([0x61, 0x3a, 0x20, 0xff, 0xfe]), "config.not_text"],
  ];
  test.each(bombs)("refuses %s at once", (_, text, code) => {
    const before = performance.now();
    expect(refusal(text).code).toStartWith(code);
    expect(performance.now() - before).toBeLessThan(1000);
  });

  test("is not fooled by the names of inherited properties", () => {
    expect(refusal("engine: {type: local}\n__proto__: {x: 1}\n").code).toBe("config.unknown_key");
    expect(refusal("engine: {type: local}\nconstructor: 1\n").code).toBe("config.unknown_key");
  });
});

describe("commentedYaml()", () => {
  const chosen = { relay: "lab", engine: { type: "local" as const, slots: 2 }, allow: { users: [user] } };
  const text = commentedYaml(endpointConfigSchema, chosen, 'Configuration of the endpoint "x"');

  test("says what was chosen and nothing more", () => {
    const config = read(text);
    expect(config).toEqual({
      ...read("engine: {type: local, slots: 2}"),
      relay: "lab",
      allow: { users: [user], public: false, deny: [] },
    });
  });

  test("explains every key that there is by the description of the schema", () => {
    for (const [key, schema] of Object.entries(endpointConfigSchema.properties)) {
      expect(text).toMatch(new RegExp(`^(# )?${key}:`, "m"));
      expect(text.replaceAll(/\n *# /g, " ")).toContain(schema.description);
    }
  });

  test("is right with every example uncommented", () => {
    const uncommented = text
      .split("\n")
      .map((line) => line.replace(/^( *)# ((?: {2,})?(?:- )*[a-z_A-Z]+:(?: .*)?|(?: {2,})- .*)$/, "$1$2"))
      .join("\n");
    // Hours are for engines of blocks, and this one is local.
    expect(refusal(uncommented).message).toContain('"schedule" is for engines of blocks');
    const withoutHours = uncommented.replace(/^schedule:\n(?: .*\n)*/m, "");
    const config = read(withoutHours);
    expect(config.commands).toEqual([{ argv: ["hostname"] }]);
    expect(config.env).toEqual({ OMP_NUM_THREADS: "1" });
    expect(config.engine).toMatchObject({ memory_mib: 8192 });
    const hours = /^schedule:\n(?: .*\n)*/m.exec(uncommented)?.[0] ?? "";
    expect(read(`engine: {type: batch, scheduler: slurm}\n${hours}`).schedule?.windows).toHaveLength(1);
  });

  test("quotes values that YAML would take for something else", () => {
    const odd = { display_name: "yes: # no", engine: { type: "local" as const }, worker_init: "a\nb: 'c'\n" };
    const config = read(commentedYaml(endpointConfigSchema, odd, "x"));
    expect(config.display_name).toBe(odd.display_name);
    expect(config.worker_init).toBe(odd.worker_init);
  });
});

function billionLaughs(): string {
  let text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n";
  for (let i = 1; i < 12; i += 1)
    text += `a${i}: &a${i} [${Array(9)
      .fill(`*a${i - 1}`)
      .join(",")}]\n`;
  return text;
}
