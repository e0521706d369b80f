/** What is shown at one look. */
export interface StatusView {
  readonly text: string;
  readonly exitCode: number;
  /** Differs from that of another look when something has changed that a person would act on: no times, no counters. */
  readonly key: string;
}

/** A cursor to the first column of the first line; the rest of a line, and of the screen, cleared (ECMA-48: CUP, EL, ED). */
const [HOME, END_OF_LINE, REST] = ['\u001b[H', '\u001b[K', '\u001b[J'];

/** Writes one look after the other: on a terminal in place; elsewhere, and for a program, those that differ from the one before. */
export function statusScreen(inPlace: boolean): (view: StatusView) => void {
  let known: string | undefined;
  return ({ text, key }) => {
    if (inPlace) {
      const drawn = text
        .trimEnd()
        .split('\n')
        .map((line) => line + END_OF_LINE);
      process.stdout.write(`${known === undefined ? `${HOME}${REST}` : HOME}${drawn.join('\n')}\n${REST}`);
    } else if (key !== known) process.stdout.write(text);
    known = key;
  };
}
