/**
 * Rows of fields with a separator, as Slurm prints them on request. A row counts only when it is whole: it has exactly
 * the columns asked for, and a column asked for twice says the same twice. So a cut line, or one that continues as
 * another line, is never taken for a row.
 */

export type Fields = ReadonlyMap<string, string>;

/** The whole rows of `text`, and its other lines that are not blank. */
export function delimitedRows(
  text: string,
  columns: readonly string[],
): { rows: { fields: Fields; text: string }[]; odd: string[] } {
  const rows: { fields: Fields; text: string }[] = [];
  const odd: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const fields = fieldsOf(line, columns);
    if (fields !== undefined) rows.push({ fields, text: line });
    else if (line.trim() !== "") odd.push(line);
  }
  return { rows, odd };
}

function fieldsOf(line: string, columns: readonly string[]): Fields | undefined {
  const values = line.split("|");
  if (values.length !== columns.length) return undefined;
  const fields = new Map<string, string>();
  for (const [i, column] of columns.entries()) {
    const value = values[i] ?? "";
    if (fields.has(column) && fields.get(column) !== value) return undefined;
    fields.set(column, value);
  }
  return fields;
}

/** Whether a line speaks of this number, as a number of its own. */
export function mentions(line: string, number: string): boolean {
  return new RegExp(`(?<!\\d)${number}(?!\\d)`).test(line);
}
