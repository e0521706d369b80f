/**
 * JSON as kiwi/1 accepts it: RFC 8259, UTF-8, no duplicate member names (two readers of such a text could see two different
 * messages under one signature), a cap on size and on depth.
 */

const MAX_DEPTH = 16;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws SyntaxError when the text is not strict JSON; the message never quotes the text. */
export function parseStrictJson(data: Uint8Array | string, maxBytes: number): unknown {
  const size = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
  if (size > maxBytes) throw new SyntaxError(`larger than ${maxBytes} bytes`);
  const text = typeof data === 'string' ? data : decodeUtf8(data);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new SyntaxError('not JSON');
  }
  refuseDuplicateNames(text);
  return value;
}

function decodeUtf8(data: Uint8Array): string {
  try {
    return utf8.decode(data);
  } catch {
    throw new SyntaxError('not UTF-8');
  }
}

/** Walks a text that JSON.parse has already accepted, so that only strings and brackets matter here. */
function refuseDuplicateNames(text: string): void {
  const open: (Set<string> | undefined)[] = []; // a set of names for an object, undefined for an array
  let expectName = false;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
        open.push(new Set());
        expectName = true;
        break;
      case '[':
        open.push(undefined);
        expectName = false;
        break;
      case '}':
      case ']':
        open.pop();
        expectName = false;
        break;
      case ',':
        expectName = open.at(-1) !== undefined;
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = open.at(-1);
        if (expectName && names !== undefined) {
          const written = text.slice(at + 1, end);
          // With escapes, a name can be written in several ways; without, in only one.
          const name = written.includes('\\') ? (JSON.parse(`"${written}"`) as string) : written;
          // It is no member like others to JavaScript: a schema may pass over it.
          if (name === '__proto__') throw new SyntaxError('a member named __proto__');
          if (names.has(name)) throw new SyntaxError('duplicate member name');
          names.add(name);
          expectName = false;
        }
        at = end;
        break;
      }
      default:
    }
    if (open.length > MAX_DEPTH) throw new SyntaxError(`deeper than ${MAX_DEPTH} levels`);
  }
}

/** The closing quote: the first that has an even number of backslashes before it. Most strings are long and have none. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === '\\') backslashes++;
    if (backslashes % 2 === 0) return end;
  }
}
