import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { makeIdentity } from "../../core/access/principal.ts";
import { readKnown, rememberEndpoints } from "../../core/config/known.ts";
import { lookupEndpoint } from "../../core/submit/endpoint_lookup.ts";
import { TestHome } from "./bench_home.ts";

let here: TestHome;
beforeEach(async () => {
  here = await new TestHome().open();
});
afterEach(() => here.close());

const look = (said: string) =>
  lookupEndpoint(said, { home: here.home, context: "local", client: here.client().client });

describe("lookupEndpoint", () => {
  test("knows an endpoint by name, by id and by the beginning of its id, without the relay", async () => {
    await here.world.close();
    const { id } = here.world.endpoint;
    for (const said of ["lab", id, id.slice(0, 9), id.toUpperCase()]) expect((await look(said)).record.id).toBe(id);
  });

  test("prefers the endpoint of this very home folder", async () => {
    here.makeDefault();
    expect(await look("local")).toMatchObject({ name: "local", own: true });
  });

  test("asks the relay for what it has not seen, and remembers the answer", async () => {
    here.world.name = "far";
    rememberEndpoints(here.home, "other", []);
    expect((await look("far")).record.id).toBe(here.world.endpoint.id);
    expect(readKnown(here.home)[0]?.name).toBe("far");
  });

  test("names the candidates when several fit", async () => {
    const record = makeIdentity("endpoint", here.host.random).record;
    rememberEndpoints(here.home, "local", [{ name: "lab", record }]);
    expect(look("lab")).rejects.toThrow(record.id);
  });

  test("guesses what was meant when there is none", async () => {
    here.world.name = "cluster";
    expect(look("clutser")).rejects.toThrow('did you mean "cluster"?');
  });
});
