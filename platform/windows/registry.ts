import { rm } from 'node:fs/promises';
import path from 'node:path';

import { writeDurableFile } from '../../src/core/durable-file.ts';
import { KiwiError } from '../../src/core/errors.ts';
import { makeFolders } from './folders.ts';
import { PATHS } from './paths.ts';
import { at, runTool, runToolChecked, type WindowsSystem } from './system.ts';

export type RegistryValue = string | number | readonly string[];

/** A key by its whole name, with what is to be in it; undefined removes it with all that is below. */
export type RegistryKeys = Readonly<Record<string, Readonly<Record<string, RegistryValue>> | undefined>>;

/**
 * The text of a registration file (`Windows Registry Editor Version 5.00`). A key is removed before it is made, so that no value of before
 * stays in it.
 * @throws TypeError for what such a file cannot hold
 */
export function renderRegistration(keys: RegistryKeys): string {
  const blocks = Object.entries(keys).map(([key, values]) => {
    if (!/^HKEY_LOCAL_MACHINE\\[ -~]{1,240}$/u.test(key) || /[[\]]/u.test(key)) throw new TypeError('not a key');
    if (values === undefined) return `[-${key}]\r\n`;
    const lines = Object.entries(values).map(([name, value]) => `${quoted(name)}=${valueText(value)}\r\n`);
    return [`[-${key}]\r\n\r\n`, `[${key}]\r\n`, ...lines].join('');
  });
  return ['Windows Registry Editor Version 5.00\r\n', ...blocks].join('\r\n');
}

function valueText(value: RegistryValue): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number') return `dword:${value.toString(16).padStart(8, '0')}`;
  // REG_MULTI_SZ: UTF-16, each text with a NUL, one more at the end.
  const bytes = Buffer.from(`${value.map((text) => `${printable(text)}\0`).join('')}\0`, 'utf16le');
  return `hex(7):${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(',')}`;
}

const quoted = (text: string): string => `"${printable(text).replace(/[\\"]/gu, (character) => `\\${character}`)}"`;

function printable(text: string): string {
  if (!/^[ -~]*$/u.test(text)) throw new TypeError('a text for the registry is plain');
  return text;
}

/** Changes all of it by `reg.exe`, from a file that nobody else can write. @throws KiwiError `program-failed` */
export async function changeRegistry(system: WindowsSystem, name: string, keys: RegistryKeys): Promise<void> {
  await makeFolders(system);
  const file = path.join(at(system, PATHS.run), `${name}.reg`);
  try {
    await writeDurableFile(file, Buffer.from(`\ufeff${renderRegistration(keys)}`, 'utf16le'), 0o600);
    await runToolChecked(system, { name: 'reg', args: ['import', file] }, 'program-failed');
  } finally {
    await rm(file, { force: true });
  }
}

const MAX_LISTING = 1024 * 1024;

/** What a key and all below it hold, as `reg.exe query /s` lists it; empty when there is no such key. */
export async function readRegistry(system: WindowsSystem, key: string): Promise<Map<string, Map<string, string>>> {
  const command = { name: 'reg', args: ['query', key, '/s'], maxOutputBytes: MAX_LISTING } as const;
  const { code, stdout } = await runTool(system, command);
  if (code === 0) return readListing(stdout.toString('latin1'));
  if (code === 1) return new Map();
  throw new KiwiError('program-failed', { detail: `reg query: exit code ${code}` });
}

/**
 * A line for each key; below it, with four blanks, name, type and value of each of its values. Several texts of one value are separated by
 * a backslash and a zero.
 */
export function readListing(text: string): Map<string, Map<string, string>> {
  const keys = new Map<string, Map<string, string>>();
  let values = new Map<string, string>();
  for (const line of text.split(/\r?\n/u)) {
    const [, name, , value = ''] = /^ {4}(.+?) {4}(REG_[A-Z_]+) {4}(.*)$/u.exec(line) ?? [];
    if (name !== undefined) values.set(name, value);
    else if (line.startsWith('HKEY_')) {
      values = new Map<string, string>();
      keys.set(line.trim(), values);
    }
  }
  return keys;
}
