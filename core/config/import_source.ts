/**
 * A file of a Globus Compute endpoint as it is read for an import, and the report of what became of each of its keys.
 * Every key with a value ends in exactly one of three lists: taken, changed, without a counterpart.
 */
import { checkText, type Place, parseYaml, type YamlDocument } from "./document.ts";
import { type Expression, marker, type RenderedTemplate, renderTemplate } from "./import_template.ts";

/** One key of a file, or one thing of a template, and what became of it. */
export interface ImportNote extends Place {
  /** Name of the file in the directory. */
  readonly file: string;
  /** Path of the key, such as `engine.provider.partition`. */
  readonly key: string;
  /** As it is written there, where it has a value. */
  readonly value?: unknown;
  /** The key of gc's configuration that has it now, where that is another one. */
  readonly to?: string;
  /** For what was changed or has no counterpart. */
  readonly why?: string;
}

export interface ImportReport {
  readonly taken: ImportNote[];
  readonly changed: ImportNote[];
  readonly without_counterpart: ImportNote[];
}

/** A value that is settled: what of a template's expressions was put in, and why it is not what is written. */
export interface Settled {
  readonly value: unknown;
  /** Undefined: as written. */
  readonly why?: string;
}

/** A file, its values, and where they stand in it. */
export class ImportSource {
  /** Name of the file in the directory. */
  readonly file: string;
  /** For errors. */
  readonly path: string;
  readonly value: unknown;
  private readonly document: YamlDocument;
  private readonly marked: unknown;
  private readonly template: RenderedTemplate | undefined;

  /**
   * Reads plain YAML, or a template with what the person says for its variables.
   * @throws GcError config `config.*` or `import.bad_template`, with the place.
   */
  constructor(file: string, path: string, bytes: Uint8Array, values?: { readonly [name: string]: string }) {
    this.file = file;
    this.path = path;
    if (values === undefined) {
      this.document = parseYaml(bytes, path);
    } else {
      // Checked as text first: what is no text, or too long, is refused before anything else is read into it.
      this.template = renderTemplate(checkText(bytes, path), path, values);
      this.document = parseYaml(Buffer.from(this.template.text), path);
      this.marked = parseYaml(Buffer.from(this.template.marked), path).value;
    }
    this.value = this.document.value ?? {};
  }

  get leftOut() {
    return this.template?.left_out ?? [];
  }

  placeOf(keys: readonly string[]): Place {
    return this.inTemplate(this.document.placeOf(keys));
  }

  placeOfKey(above: readonly string[], key: string): Place {
    return this.inTemplate(this.document.placeOfKey(above, key));
  }

  /** A note about the key at `keys`. */
  note(keys: readonly string[], more: Omit<ImportNote, keyof Place | "file" | "key"> = {}): ImportNote {
    const place = this.placeOfKey(keys.slice(0, -1), keys.at(-1) ?? "");
    const value = more.value === undefined || more.value === null ? {} : { value: this.shown(more.value) };
    const { value: _, ...rest } = more;
    return { file: this.file, ...place, key: keys.map((key) => String(this.shown(key))).join("."), ...value, ...rest };
  }

  /**
   * The value at `keys`, which is no map, without what nobody can know: of several lines those that need a variable
   * without a default are left out; a value that has no other lines is undefined.
   */
  settle(keys: readonly string[], value: unknown): Settled {
    const expressions = this.expressionsIn(keys);
    if (expressions.length === 0) return { value };
    const open = expressions.filter((one) => one.value === undefined);
    const given = expressions.filter((one) => one.value !== undefined);
    const why = [
      ...given.map(({ source, variable, said }) => {
        if (said) return `--set ${variable} was put in for {{ ${source} }}`;
        return `the template's default was taken for {{ ${source} }}, which each user could say`;
      }),
      ...open.map(({ source, variable }) => {
        const hint = variable === undefined ? "" : `; to say it: --set ${variable}=VALUE`;
        return `{{ ${source} }} depends on who submits${hint}`;
      }),
    ].join("; ");
    if (open.length === 0) return { value, why };
    const lines = typeof value === "string" ? value.split("\n") : [];
    const known = lines.filter((line) => line.search(marker) === -1);
    if (known.every((line) => line.trim() === "")) return { value: undefined, why };
    return { value: `${known.join("\n").trimEnd()}\n`, why: `lines were left out: ${why}` };
  }

  /** A value with expressions as they are written instead of their markers. */
  private shown(value: unknown): unknown {
    if (typeof value !== "string") {
      const text = JSON.stringify(value) ?? "";
      return text.search(marker) === -1 ? value : this.shown(text);
    }
    const { expressions = [] } = this.template ?? {};
    return value.replace(marker, (_, index: string) => `{{ ${expressions[Number(index)]?.source ?? ""} }}`);
  }

  private expressionsIn(keys: readonly string[]): Expression[] {
    if (this.template === undefined) return [];
    const { expressions } = this.template;
    const at = keys.reduce<unknown>(
      (value, key) => (value as { [key: string]: unknown } | undefined)?.[key],
      this.marked,
    );
    const text = JSON.stringify(at) ?? "";
    return [...text.matchAll(marker)].flatMap(([, index]) => expressions[Number(index)] ?? []);
  }

  private inTemplate(place: Place): Place {
    return this.template === undefined ? place : this.template.sourceOf(place);
  }
}
