/** Slurm's short form for many names, `n[001-003,7],m-[1-2]-ib` → each name, in order (providers.md §2.7). */

/** More names than any cluster has nodes: what expands to more is no list of nodes. */
const namesMax = 100_000;

/** The names in `text`, or undefined when it is no host list. */
export function expandHostlist(text: string): string[] | undefined {
  const names: string[] = [];
  for (const item of splitOutside(text)) {
    const expanded = expandItem(item);
    if (expanded === undefined || names.length + expanded.length > namesMax) return undefined;
    names.push(...expanded);
  }
  return names;
}

/** Parts between commas that are in no brackets. */
function splitOutside(text: string): string[] {
  return text.match(/(?:[^,[\]]|\[[^[\]]*\])+|[[\]]/g) ?? [];
}

function expandItem(item: string): string[] | undefined {
  const open = item.indexOf("[");
  if (open < 0) return /^[A-Za-z0-9_.-]+$/.test(item) ? [item] : undefined;
  const close = item.indexOf("]", open);
  if (close < 0) return undefined;
  const numbers = item
    .slice(open + 1, close)
    .split(",")
    .map(expandRange);
  const rest = item.slice(close + 1);
  const tails = rest === "" ? [""] : expandItem(rest);
  if (tails === undefined || numbers.some((some) => some === undefined)) return undefined;
  const middles = numbers.flatMap((some) => some ?? []);
  if (middles.length * tails.length > namesMax) return undefined;
  return middles.flatMap((middle) => tails.map((tail) => item.slice(0, open) + middle + tail));
}

function expandRange(range: string): string[] | undefined {
  const match = range.match(/^(\d+)(?:-(\d+))?$/);
  if (match === null) return undefined;
  const [, first = "", last = first] = match;
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || count > namesMax) return undefined;
  return Array.from({ length: count }, (_, i) => String(Number(first) + i).padStart(first.length, "0"));
}
