import { readFile } from 'node:fs/promises';

/**
 * What `reg.exe` does with a registration file, and how it lists a key: written from what Windows prints, so that the two texts are tested
 * against each other.
 */
export class FakeRegistry {
  readonly keys = new Map<string, Map<string, { type: string; text: string }>>();

  async run([verb = '', first = '']: readonly string[]): Promise<{ code: number; stdout?: string }> {
    if (verb === 'import') {
      const bytes = await readFile(first);
      if (bytes.readUInt16LE(0) !== 0xfeff) return { code: 1 };
      return { code: this.#import(bytes.subarray(2).toString('utf16le')) ? 0 : 1 };
    }
    if (verb !== 'query') throw new TypeError(`no such verb of reg: ${verb}`);
    const below = [...this.keys].filter(([key]) => key === first || key.startsWith(`${first}\\`));
    if (below.length === 0) return { code: 1 };
    const blocks = below.map(([key, values]) => {
      const lines = [...values].map(([name, { type, text }]) => `    ${name}    ${type}    ${text}\r\n`);
      return `${key}\r\n${lines.join('')}\r\n`;
    });
    return { code: 0, stdout: `\r\n${blocks.join('')}` };
  }

  #import(text: string): boolean {
    const [head, ...lines] = text.split('\r\n');
    if (head !== 'Windows Registry Editor Version 5.00') return false;
    let values: Map<string, { type: string; text: string }> | undefined;
    for (const line of lines.filter((one) => one !== '')) {
      const [, minus, key] = /^\[(-?)(HKEY_[^\]]+)\]$/u.exec(line) ?? [];
      if (key !== undefined && minus === '-') {
        for (const one of this.keys.keys()) if (one === key || one.startsWith(`${key}\\`)) this.keys.delete(one);
      } else if (key !== undefined) {
        values = new Map();
        this.keys.set(key, values);
      } else {
        const value = /^"([^"\\]+)"=(.+)$/u.exec(line);
        const read = valueOf(value?.[2] ?? '');
        if (value === null || read === undefined || values === undefined) return false;
        values.set(value[1] ?? '', read);
      }
    }
    return true;
  }
}

function valueOf(text: string): { type: string; text: string } | undefined {
  const word = /^dword:([0-9a-f]{8})$/u.exec(text)?.[1];
  if (word !== undefined) return { type: 'REG_DWORD', text: `0x${Number.parseInt(word, 16).toString(16)}` };
  const bytes = /^hex\(7\):((?:[0-9a-f]{2},?)+)$/u.exec(text)?.[1];
  if (bytes !== undefined) {
    const texts = Buffer.from(bytes.replaceAll(',', ''), 'hex').toString('utf16le').split('\0').slice(0, -2);
    return { type: 'REG_MULTI_SZ', text: texts.join(String.raw`\0`) };
  }
  const plain = /^"((?:[^"\\]|\\.)*)"$/u.exec(text)?.[1];
  return plain === undefined ? undefined : { type: 'REG_SZ', text: plain.replace(/\\(.)/gu, '$1') };
}
