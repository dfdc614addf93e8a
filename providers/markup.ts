/**
 * Just enough XML for what schedulers print: elements without attributes that matter, text with the five entities. Not
 * a parser: it finds whole elements, and an element that is cut or grown together with another is not found.
 */

/** The content of each whole `<name …>…</name>` that has no other one inside. */
export function elements(xml: string, name: string): string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^<>]*)?>((?:(?!<${name}[\\s>])[\\s\\S])*?)</${name}>`, "g");
  return [...xml.matchAll(pattern)].map((match) => match[1] ?? "");
}

/** The text of the one `<name>` in `xml`; undefined when there is none, or more than one. */
export function textOfElement(xml: string, name: string): string | undefined {
  const found = elements(xml, name);
  const opened = xml.match(new RegExp(`<${name}[\\s>]`, "g"))?.length;
  if (found.length !== 1 || opened !== 1 || /</.test(found[0] ?? "")) return undefined;
  return unescaped(found[0] ?? "").trim();
}

const entities: { readonly [name: string]: string } = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|(lt|gt|amp|quot|apos));/g, (_, number, name) => {
    return number === undefined ? (entities[name] ?? "") : String.fromCodePoint(Math.min(Number(number), 0x10ffff));
  });
}
