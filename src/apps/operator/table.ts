import { printable } from '../../core/log.ts';

/** An identifier: whole for programs, its beginning for people; commands take either. */
export class Id {
  readonly #id: string;

  constructor(id: string) {
    this.#id = id;
  }

  toJSON(): string {
    return this.#id;
  }

  toString(): string {
    return this.#id.slice(0, 8);
  }
}

/** Prose that is told whole below its row: cut, it would not be worth reading. */
export class Note {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** A cell: for programs a time is RFC 3339 in UTC (`Date.toJSON`), for people in the time of this machine. */
export type Cell = string | number | Date | Id | Note;
export type Row = Readonly<Record<string, Cell>>;

/** What is left of a text that is cut, at least. A reason is prose, and is cut first. */
const SHORTEST = { text: 12, reason: 8 };
const GAP = '  ';

/**
 * Rows as text, each column as wide as its longest value; the columns are those of all rows, in order of appearance. Where the table
 * would be wider than `width`, its longest texts are cut. Notes stand below their row. What was said by laptops cannot move the cursor.
 */
export function renderTable(rows: readonly Row[], width: number): string {
  if (rows.length === 0) return 'None.\n';
  const names = [
    ...new Set(
      rows.flatMap((row) => Object.entries(row).flatMap(([name, cell]) => (cell instanceof Note ? [] : [name]))),
    ),
  ];
  const lines = [names.map((name) => name.toUpperCase()), ...rows.map((row) => names.map((name) => shown(row[name])))];
  const widths = names.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  // Times and identifiers mean nothing when they are cut.
  const isText = names.map((name) => rows.every(({ [name]: cell }) => cell === undefined || typeof cell === 'string'));
  const room = width - GAP.length * (names.length - 1);
  const isReason = names.map((name, at) => name === 'why' && isText[at] === true);
  narrow(widths, isReason, room, SHORTEST.reason);
  narrow(widths, isText, room, SHORTEST.text);
  const cut = (cell: string, most: number): string => (cell.length > most ? `${cell.slice(0, most - 1)}…` : cell);
  const notes = [[], ...rows.map((row) => Object.values(row).flatMap((cell) => notesOf(cell, width)))];
  return lines
    .map((line) => line.map((cell, at) => cut(cell, widths[at] ?? 0).padEnd(widths[at] ?? 0)).join(GAP))
    .flatMap((line, at) => [line, ...(notes[at] ?? [])].map((text) => `${text.trimEnd()}\n`))
    .join('');
}

const INDENT = '    ';
/** A record of the audit may hold a whole statement with its signatures: that is for programs. */
const LONGEST_NOTE = 400;

/** As many lines as it takes; a word that is longer than a line is broken. */
function notesOf(cell: Cell, width: number): string[] {
  if (!(cell instanceof Note)) return [];
  const text = printable(cell.text);
  const shown = text.length > LONGEST_NOTE ? `${text.slice(0, LONGEST_NOTE)}… (--json has all of it)` : text;
  const room = width - INDENT.length;
  const lines = shown.match(new RegExp(`.{1,${room}}(?=\\s|$)|\\S{${room}}`, 'gu')) ?? [];
  return lines.map((line) => INDENT + line.trim());
}

/** Takes from the widest of these columns until all fits, or nothing can be taken. */
function narrow(widths: number[], which: readonly boolean[], room: number, shortest: number): void {
  const sum = (): number => widths.reduce((total, one) => total + one, 0);
  while (sum() > room) {
    const texts = widths.map((one, at) => (which[at] === true ? one : 0));
    const widest = Math.max(...texts);
    if (widest <= shortest) return;
    widths[texts.indexOf(widest)] = widest - 1;
  }
}

function shown(cell: Cell | undefined): string {
  if (cell instanceof Note) return '';
  return cell instanceof Date ? localTime(cell) : printable(String(cell ?? ''));
}

/** To the minute, in the form of ISO 8601. */
export function localTime(at: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}
