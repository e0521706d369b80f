/** What a program that was run answers; undefined: it did what it was told, and said nothing. */
export type FakeAnswer =
  { readonly code?: number; readonly stdout?: Buffer | string; readonly stderr?: string } | undefined;
