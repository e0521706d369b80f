/**
 * Property lists in XML (plist(5), PropertyList-1.0.dtd), as launchd, System Settings and the programs of macOS read and print them. No
 * package: what we write is a few keys, and what we read is printed by macOS itself.
 */
export type Plist =
  string | number | boolean | Buffer | readonly Plist[] | { readonly [key: string]: Plist | undefined };

const HEAD = [
  '<?xml version="1.0" encoding="UTF-8"?>',
  '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
];

/** @param comment one line about the file, for people; @throws TypeError for a number that is not whole, or a control character */
export function renderPlist(value: Plist, comment?: string): string {
  const note = comment === undefined ? [] : [`<!-- ${comment.replaceAll('--', '- -')} -->`];
  return [...HEAD, ...note, '<plist version="1.0">', ...lines(value, ''), '</plist>', ''].join('\n');
}

function lines(value: Plist, indent: string): string[] {
  const inner = `${indent}  `;
  if (typeof value === 'string') return [`${indent}<string>${escaped(value)}</string>`];
  if (typeof value === 'boolean') return [`${indent}<${value ? 'true' : 'false'}/>`];
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError('not a whole number');
    return [`${indent}<integer>${value}</integer>`];
  }
  if (Buffer.isBuffer(value)) return [`${indent}<data>${value.toString('base64')}</data>`];
  if (isList(value)) return [`${indent}<array>`, ...value.flatMap((one) => lines(one, inner)), `${indent}</array>`];
  const entries = Object.entries(value).flatMap(([key, one]) =>
    one === undefined ? [] : [`${inner}<key>${escaped(key)}</key>`, ...lines(one, inner)],
  );
  return [`${indent}<dict>`, ...entries, `${indent}</dict>`];
}

const isList = (value: Plist): value is readonly Plist[] => Array.isArray(value);

function escaped(text: string): string {
  // XML 1.0 has no way to write them.
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/u.test(text)) throw new TypeError('a control character');
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const MAX_DEPTH = 64;
const TOKEN = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^>[]*>|<(\/?)([a-z]+)((?:\s[^<>]*?)?)(\/?)>|([^<]+)/gu;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * Reads one. Dates are returned as their text, numbers with a fraction as numbers; entities other than XML's five and numeric ones, which
 * would need a DTD, are refused.
 * @throws TypeError for what is not a property list
 */
export function readPlist(text: string): Plist {
  const reader = new Reader(tokens(text));
  reader.open('plist');
  const value = reader.value(0);
  reader.close('plist');
  return value;
}

interface Token {
  readonly kind: 'open' | 'close' | 'empty' | 'text';
  readonly name: string;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index !== end) throw new TypeError('not a property list');
    end = match.index + match[0].length;
    const [, slash = '', name, , empty = '', said] = match;
    if (said !== undefined) found.push({ kind: 'text', name: unescaped(said) });
    else if (name !== undefined) found.push({ kind: slash === '/' ? 'close' : empty === '/' ? 'empty' : 'open', name });
  }
  if (end !== text.length) throw new TypeError('not a property list');
  return found;
}

function unescaped(text: string): string {
  return text.replace(/&([^;&]*);?/gu, (_, name: string) => {
    const code = /^#(?:x([0-9a-f]{1,6})|(\d{1,7}))$/iu.exec(name);
    if (code !== null)
      return String.fromCodePoint(code[1] === undefined ? Number(code[2]) : Number.parseInt(code[1], 16));
    const known = ENTITIES[name];
    if (known === undefined) throw new TypeError('an unknown entity');
    return known;
  });
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(all: readonly Token[]) {
    this.#tokens = all;
  }

  open(name: string): void {
    const token = this.#next();
    if (token.kind !== 'open' || token.name !== name) throw new TypeError(`no <${name}>`);
  }

  close(name: string): void {
    const token = this.#next();
    if (token.kind !== 'close' || token.name !== name) throw new TypeError(`no </${name}>`);
  }

  value(depth: number): Plist {
    if (depth > MAX_DEPTH) throw new TypeError('nested too deeply');
    const { kind, name } = this.#next();
    if (kind === 'empty') return emptyValue(name);
    if (kind !== 'open') throw new TypeError('no value');
    if (name === 'array') return this.#list(depth);
    if (name === 'dict') return this.#dictionary(depth);
    const text = this.#text();
    this.close(name);
    return scalar(name, text);
  }

  #list(depth: number): Plist[] {
    const found: Plist[] = [];
    while (!this.#ends('array')) found.push(this.value(depth + 1));
    return found;
  }

  #dictionary(depth: number): Record<string, Plist> {
    const found = new Map<string, Plist>();
    while (!this.#ends('dict')) {
      this.open('key');
      const key = this.#text();
      this.close('key');
      found.set(key, this.value(depth + 1));
    }
    return Object.fromEntries(found);
  }

  /** True when this container ends here, and then behind its end. */
  #ends(name: string): boolean {
    this.#skipBlank();
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'close') return false;
    this.close(name);
    return true;
  }

  #text(): string {
    let text = '';
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== 'text') return text;
      text += token.name;
      this.#at += 1;
    }
  }

  #next(): Token {
    this.#skipBlank();
    const token = this.#tokens[this.#at];
    if (token === undefined) throw new TypeError('it ends too early');
    this.#at += 1;
    return token;
  }

  #skipBlank(): void {
    for (;;) {
      const token = this.#tokens[this.#at];
      if (token?.kind !== 'text' || token.name.trim() !== '') return;
      this.#at += 1;
    }
  }
}

function emptyValue(name: string): Plist {
  if (name === 'true' || name === 'false') return name === 'true';
  const empty: Readonly<Record<string, Plist>> = { string: '', array: [], dict: {}, data: Buffer.of() };
  const value = empty[name];
  if (value === undefined) throw new TypeError(`an empty <${name}>`);
  return value;
}

function scalar(name: string, text: string): Plist {
  if (name === 'string' || name === 'date') return text;
  if (name === 'data') return Buffer.from(text.replaceAll(/\s+/gu, ''), 'base64');
  // `ioreg -a` also writes hexadecimal ones.
  if (
    (name === 'integer' || name === 'real') &&
    /^[+-]?(?:0x[0-9a-f]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/iu.test(text.trim())
  ) {
    return Number(text.trim());
  }
  throw new TypeError(`<${name}>`);
}
