/** Where a secret could be: all files below a folder, and the memory of a process. Looks for it in every spelling. */
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

/** A text as UTF-8, UTF-16, hexadecimal and base64 at all three alignments. */
export function spellings(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((pad) => {
    const whole = Buffer.concat([Buffer.alloc(pad), bytes]).toString("base64");
    return Buffer.from(whole.slice(4, -4));
  });
  return [bytes, Buffer.from(text, "utf16le"), Buffer.from(bytes.toString("hex")), ...base64];
}

/** Files below `dir` that hold one of `texts`, with how many files and bytes were looked at. */
export function searchFiles(dir: string, texts: readonly Buffer[]): { found: string[]; files: number; bytes: number } {
  const found: string[] = [];
  let files = 0;
  let bytes = 0;
  for (const name of readdirSync(dir, { recursive: true }) as string[]) {
    const path = join(dir, name);
    if (!statSync(path, { throwIfNoEntry: false })?.isFile()) continue;
    const content = readFileSync(path);
    files += 1;
    bytes += content.byteLength;
    if (texts.some((text) => content.includes(text) || name.includes(text.toString("latin1")))) found.push(name);
  }
  return { found, files, bytes };
}

const chunkBytes = 1024 * 1024;
const pageBytes = 4096;

/** Regions of the memory of a process that hold one of `texts`, mapped files included. */
export function searchMemory(pid: number, texts: readonly Buffer[]): { found: string[]; bytes: number } {
  const found = new Set<string>();
  let bytes = 0;
  const overlap = Math.max(...texts.map((text) => text.byteLength));
  const chunk = Buffer.alloc(chunkBytes + overlap);
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, "latin1").split("\n")) {
      const [, from = "", to = "", place = ""] = /^([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+ *(.*)$/.exec(line) ?? [];
      if (from === "" || /^\[v(var|syscall|dso)/.test(place)) continue;
      const end = Number.parseInt(to, 16);
      // All before the first read: to look at a page that is not there makes one.
      const places: number[] = [];
      for (let at = Number.parseInt(from, 16); at < end; at += chunkBytes) {
        if (hasPages(pagemap, at, Math.min(chunkBytes, end - at))) places.push(at);
      }
      for (const at of places) {
        const read = readAt(memory, chunk, Math.min(chunk.byteLength, end - at), at);
        bytes += read;
        const seen = chunk.subarray(0, read);
        if (texts.some((text) => seen.includes(text))) found.add(`${from}-${to} ${place}`);
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
  return { found: [...found], bytes };
}

/** Whether anything is there: most of an address space is only reserved (proc(5): bit 63 present, 62 swapped). */
function hasPages(pagemap: number, at: number, length: number): boolean {
  const entries = Buffer.alloc((length / pageBytes) * 8);
  const read = readAt(pagemap, entries, entries.byteLength, (at / pageBytes) * 8);
  for (let i = 7; i < read; i += 8) if (((entries[i] ?? 0) & 0xc0) !== 0) return true;
  return false;
}

function readAt(fd: number, into: Buffer, length: number, at: number): number {
  try {
    return readSync(fd, into, 0, length, at);
  } catch {
    return 0; // Nothing that can be read.
  }
}
