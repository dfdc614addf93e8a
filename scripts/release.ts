/**
 * Executables → what a mirror serves: each one as it is, as `.gz` (every cluster can unpack that) and as `.xz` (a
 * quarter smaller; left out where there is no xz), and `SHA256SUMS` over all of them, in the form that `sha256sum -c`
 * reads and `install.sh` checks.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const packers = [
  { suffix: ".gz", argv: ["gzip", "-9", "-n", "-c"] },
  { suffix: ".xz", argv: ["xz", "-6", "-T2", "-c"] },
] as const;

/** Compresses these files beside themselves, writes `SHA256SUMS` into `folder`, and returns all that is there now. */
export async function pack(folder: string, executables: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const executable of executables) {
    files.push(executable);
    for (const { suffix, argv } of packers) {
      if (Bun.which(argv[0]) === null)
        console.error(`No ${argv[0]} here: ${basename(executable)}${suffix} is left out`);
      else files.push(await compress(executable, suffix, argv));
    }
  }
  const sums = join(folder, "SHA256SUMS");
  writeFileSync(sums, sumsText(files));
  return [...files, sums];
}

/** Lines `HEX  NAME`, sorted by name. */
export function sumsText(files: readonly string[]): string {
  const lines = [...files]
    .sort((a, b) => basename(a).localeCompare(basename(b), "en"))
    .map((file) => `${new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex")}  ${basename(file)}\n`);
  return lines.join("");
}

async function compress(file: string, suffix: string, argv: readonly string[]): Promise<string> {
  const packed = file + suffix;
  const child = Bun.spawn([...argv, file], { stdout: Bun.file(`${packed}.tmp`), stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error(`Cannot compress "${file}" by ${argv[0]}`);
  renameSync(`${packed}.tmp`, packed);
  return packed;
}

if (import.meta.main) {
  const folder = process.argv[2] ?? join(import.meta.dir, "..", "dist");
  const names = readdirSync(folder).filter((name) => /^gc-(linux|darwin)-(x64|arm64)$/.test(name));
  for (const file of await pack(
    folder,
    names.sort().map((name) => join(folder, name)),
  ))
    console.log(file);
}
