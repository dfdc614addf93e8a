/** What a reader made of a capture. */
export interface Reading {
  readonly kind: "status" | "submit" | "order" | "find" | "probe" | "inside";
  /** In a few words, block by block. */
  readonly means: string;
}
