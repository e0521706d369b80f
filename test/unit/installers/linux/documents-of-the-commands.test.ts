import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { beforeAll, describe, expect, it } from 'vitest';

const PROJECT = path.join(import.meta.dirname, '../../../..');
const read = (name: string): string => readFileSync(path.join(PROJECT, 'installers/linux', name), 'utf8');

/** What `kiwistack-enroll --help` tells: each command with its options, the bare program as ''. */
const told = new Map<string, readonly string[]>();

beforeAll(async () => {
  const top = await help();
  told.set('', optionsIn(top));
  const list = top.slice(top.indexOf('\nCommands:'));
  const commands = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gmu)].map(([, name = '']) => name);
  await Promise.all(
    commands.filter((name) => name !== 'help').map(async (name) => told.set(name, optionsIn(await help(name)))),
  );
  told.set('help', []);
}, 60_000);

async function help(...command: string[]): Promise<string> {
  const argv = [path.join(PROJECT, 'src/apps/enroll/main.ts'), ...command, '--help'];
  return (await promisify(execFile)(process.execPath, argv)).stdout;
}

function optionsIn(text: string): string[] {
  return [...text.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gmu)].map(([, name = '']) => name);
}

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
const longOptions = (text: string): string[] => [...text.matchAll(/--([a-z][a-z-]*)/gu)].map(([, name = '']) => name);

describe('every command and option of kiwistack-enroll', () => {
  it('is found', () => {
    expect([...told.keys()]).toContain('uninstall');
    expect(told.get('enroll')).toContain('pin-fd');
  });

  it('is completed in bash, and no other', () => {
    const text = read('completion/kiwistack-enroll.bash');
    const offered = new Map(
      [...text.matchAll(/^ {4}(''|[a-z-]+)\) words='([^']*)'/gmu)].map(([, name = '', words = '']) => [
        name.replaceAll("'", ''),
        words.split(' '),
      ]),
    );
    expect(sorted(offered.keys())).toEqual(sorted(told.keys()));
    for (const [name, options] of told) {
      const words = offered.get(name) ?? [];
      const commands =
        name === '' ? [...told.keys()] : name === 'help' ? [...told.keys()].filter((one) => one !== 'help') : [];
      expect(sorted(words), name).toEqual(
        sorted([...commands.filter(Boolean), ...options.map((option) => `--${option}`)]),
      );
    }
  });

  it('is completed in zsh, and no other', () => {
    const text = read('completion/kiwistack-enroll.zsh');
    const commands = [...text.matchAll(/^ {2}'([a-z-]+):/gmu)].map(([, name = '']) => name);
    expect(sorted(commands)).toEqual(sorted([...told.keys()].filter(Boolean)));
    for (const [name, options] of told) {
      const part = name === '' ? (text.split('case $state')[0] ?? '') : branch(text, name);
      expect(sorted(longOptions(part)), name).toEqual(sorted(options));
    }
  });

  it('is in the man page, and no other', () => {
    const page = read('man/kiwistack-enroll.8');
    const synopsis = page.slice(page.indexOf('.Sh SYNOPSIS'), page.indexOf('.Sh DESCRIPTION'));
    const items = page.slice(page.indexOf('.Sh COMMANDS'), page.indexOf('.Sh REMOVING'));
    for (const text of [synopsis, items]) {
      expect(sorted([...text.matchAll(/Cm ([a-z-]+)/gu)].map(([, name = '']) => name))).toEqual(
        sorted([...told.keys()].filter(Boolean)),
      );
      const named = [...text.matchAll(/Fl Fl ([a-z-]+)/gu)].map(([, name = '']) => name);
      expect(sorted(named)).toEqual(sorted([...told.values()].flat()));
    }
    for (const [name, options] of told) {
      const item =
        new RegExp(String.raw`^\.It Cm ${name}\b[^]*?(?=^\.It Cm |^\.Pp\n\.Fl V)`, 'mu').exec(items)?.[0] ?? '';
      const named = [...item.matchAll(/^\.It Fl Fl ([a-z-]+)/gmu)].map(([, option = '']) => option);
      if (name !== '') expect(sorted(named), name).toEqual(sorted(options.filter((option) => option !== 'help')));
    }
  });
});

/** The part of zsh's case that belongs to a command. */
function branch(text: string, name: string): string {
  return new RegExp(String.raw`^ {6}${name}\)([^]*?);;`, 'mu').exec(text)?.[1] ?? '';
}
