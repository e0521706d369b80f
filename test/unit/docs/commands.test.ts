import { readFileSync } from 'node:fs';
import path from 'node:path';

import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';

import { enrollProgram } from '../../../src/apps/enroll/enroll-program.ts';
import { operatorProgram } from '../../../src/apps/operator/operator-program.ts';
import { sliceProgram } from '../../../src/apps/slice/slice-program.ts';
import { systemClock } from '../../../src/core/clock.ts';

const PROGRAMS = [enrollProgram(), operatorProgram(), sliceProgram({ clock: systemClock, env: {} })];
const DOCUMENTS = ['README.md', 'docs/operators.md', 'docs/tour.md'];

/** What stands in the code blocks of a document, a block one text, without comments. */
function blocksOf(document: string): string[] {
  const text = readFileSync(path.join(import.meta.dirname, '../../..', document), 'utf8');
  return [...text.matchAll(/^```(?:sh|console)\n([^]*?)^```/gm)].map(([, block = '']) =>
    block.replaceAll(/\\\n\s*/g, '').replaceAll(/ +# .*$/gm, ''),
  );
}

const commandsIn = (block: string): string[] =>
  [...block.matchAll(/^(?:\w*[#$] )?(?:sudo |pkexec )?(?:npx )?(kiwistack-(?:enroll|operator|slice) .*)$/gm)].map(
    ([, line = '']) => line.replace(/; .*| &$/, ''),
  );

/** Why a line cannot be typed as it stands; undefined when it can. */
function fault(line: string): string | undefined {
  const words = line.match(/"[^"]*"|\S+/g) ?? [];
  let command: Command | undefined = PROGRAMS.find((program) => program.name() === words[0]);
  let at = 1;
  while (command !== undefined && command.commands.length > 0) {
    const name: string = words[at++] ?? '';
    command = command.commands.find((inner) => inner.name() === name);
  }
  if (command === undefined) return `no command: ${line}`;
  const given = words.slice(at).filter((word) => word.startsWith('--'));
  const unknown = given.find((name) => command.options.every(({ long }) => long !== name) && name !== '--help');
  if (unknown !== undefined) return `no option ${unknown}: ${line}`;
  const missing = command.options.find(({ mandatory, long }) => mandatory && !given.includes(long ?? ''));
  return missing === undefined ? undefined : `without ${missing.long ?? ''}: ${line}`;
}

describe.each(DOCUMENTS)('%s', (document) => {
  it('shows commands that can be typed as they stand', () => {
    const lines = blocksOf(document).flatMap(commandsIn);
    expect(lines.length).toBeGreaterThan(2);
    expect(lines.map(fault).filter((found) => found !== undefined)).toEqual([]);
  });
});

const leavesOf = (command: Command): Command[] =>
  command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);

/** The help of a command, with what is added to it. */
function helpOf(command: Command): string {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) });
  command.outputHelp();
  return help;
}

it.each(PROGRAMS.flatMap(leavesOf).map((command) => [command.name(), command] as const))(
  'the help of `%s` has an example that can be typed as it stands',
  (_, command) => {
    const [, examples = ''] = helpOf(command).split(/^Examples?:\n/m);
    const lines = [...examples.matchAll(/^ {2}(?:sudo )?(kiwistack-.*)$/gm)].map(([, line = '']) => line);
    expect(lines).not.toEqual([]);
    expect(lines.map((line) => fault(line.replace(/ < .*/, ''))).filter((found) => found !== undefined)).toEqual([]);
  },
);

it('finds what cannot be typed', () => {
  expect(fault('kiwistack-slice fly --dir acme')).toMatch(/^no command/);
  expect(fault('kiwistack-slice up --dir acme --fly')).toMatch(/^no option --fly/);
  expect(fault('kiwistack-operator yubikey burn --dir acme')).toMatch(/^without --serial/);
});

it('docs/operators.md begins with commands that need no file of the reader', () => {
  const [first = ''] = blocksOf('docs/operators.md');
  expect(commandsIn(first).map((line) => line.split(' ')[1])).toEqual(['init', 'up']);
  expect(first).not.toMatch(/-cert|-key|-config|-root/);
});

it('names a YubiKey wherever ykman is shown, because several readers may be there', () => {
  const text = readFileSync(path.join(import.meta.dirname, '../../../docs/operators.md'), 'utf8');
  const shown = [...text.matchAll(/`(ykman [^`]*)`/g)].map(([, line = '']) => line);
  expect(shown.length).toBeGreaterThan(2);
  for (const line of shown) expect(line).toMatch(/^ykman (?:list --serials$|--device \d+ )/);
});
