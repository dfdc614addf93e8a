/** Paths without `node:path` are the same paths. */
import { describe, expect, test } from "bun:test";
import * as node from "node:path";
import { basename, dirname, join, resolve } from "../../core/host/path.ts";

describe("paths", () => {
  test("are put together and taken apart as node:path does it", () => {
    for (const path of ["/", "/a", "/a/b", "/a/b.c/d", "a", "a/b"]) {
      expect(dirname(path)).toBe(node.dirname(path));
      expect(basename(path)).toBe(node.basename(path));
    }
    expect(join("/", "b")).toBe("/b");
    expect(join("/a", "b", "c.json")).toBe(node.join("/a", "b", "c.json"));
  });

  test("that people type are made absolute and plain", () => {
    const base = "/home/me";
    const typed = [
      "/",
      "/a",
      "/a/",
      "/a//b",
      "//a",
      "/a/./b",
      "/a/../b",
      "/a/..",
      "/.",
      "/..a/b..",
      "a",
      "./a",
      "..",
      "",
      "/a/.b",
    ];
    for (const path of typed)
      expect(
        resolve(() => base, path),
        path,
      ).toBe(node.resolve(base, path));
  });
});
