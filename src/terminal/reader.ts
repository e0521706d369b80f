import type { KiwiError } from '../core/errors.ts';

/** Who reads what a program prints: a member of staff at a laptop, or whoever runs slices or works in a clone. */
export interface Reader {
  readonly is: 'staff' | 'operator';
  /** The program was started with npx in a clone, where its name alone is no command. */
  readonly usesNpx: boolean;
  /** stderr is systemd's journal: each line says how serious it is. */
  readonly inJournal?: boolean;
}

let reader: Reader = { is: 'staff', usesNpx: false };

/** For the start of a program: a process has one reader. */
export function printFor(who: Reader): void {
  reader = who;
}

/** Who the reader of this process is. */
export function currentReader(): Reader {
  return reader;
}

/** Our commands in a text, in the form in which the reader can type them. */
export function asTyped(text: string): string {
  if (!reader.usesNpx) return text;
  return text.replaceAll(/(`|sudo )(?=kiwistack-(?:enroll|operator|slice)\b)/g, '$1npx ');
}

/** What the reader can do next. */
export function hintOf(error: KiwiError): string {
  return asTyped(reader.is === 'operator' ? error.operatorHint : error.hint);
}
