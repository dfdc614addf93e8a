/** Rows of comma-separated values as they come in (RFC 4180): quotes, doubled quotes, line ends inside quotes. Pure. */

export class CsvReader {
  private row: string[] = [];
  private field = "";
  private state: "start" | "plain" | "quoted" | "quote" = "start";

  /** Rows that are complete with this piece of text. */
  take(text: string): string[][] {
    const rows: string[][] = [];
    for (const char of text) {
      if (this.state === "quoted") {
        if (char === '"') this.state = "quote";
        else this.field += char;
      } else if (char === '"' && (this.state === "start" || this.state === "quote")) {
        if (this.state === "quote") this.field += '"';
        this.state = "quoted";
      } else if (char === ",") {
        this.endField();
      } else if (char === "\n") {
        this.endRow(rows);
      } else if (char !== "\r") {
        this.field += char;
        this.state = "plain";
      }
    }
    return rows;
  }

  /** A last row without a line end. */
  end(): string[][] {
    const rows: string[][] = [];
    if (this.row.length > 0 || this.state !== "start") this.endRow(rows);
    return rows;
  }

  private endField(): void {
    this.row.push(this.field);
    this.field = "";
    this.state = "start";
  }

  private endRow(rows: string[][]): void {
    const isEmpty = this.row.length === 0 && this.state === "start" && this.field === "";
    this.endField();
    if (!isEmpty) rows.push(this.row);
    this.row = [];
  }
}
