import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { Command, Option } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { commandTree } from '../../../../installers/linux/documents/command-tree.ts';
import { renderBashCompletion } from '../../../../installers/linux/documents/render-bash-completion.ts';
import { renderManPage } from '../../../../installers/linux/documents/render-man-page.ts';
import { renderZshCompletion } from '../../../../installers/linux/documents/render-zsh-completion.ts';
import { OPERATORS_PACKAGES, type OperatorsPackageName } from '../../../../installers/linux/operators-packages.ts';

const OPERATORS = path.join(import.meta.dirname, '../../../../installers/linux/operators');
const NAMES = Object.keys(OPERATORS_PACKAGES) as OperatorsPackageName[];
const run = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-documents-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** A program with everything that a command can have. */
function zoo(): Command {
  const program = new Command('kiwistack-zoo').description('Keeps animals.');
  const animal = program.command('animal').description("An animal's life");
  animal
    .command('feed <name>')
    .description('.Give it food; "two" times: [or] more')
    .requiredOption('--dir <folder>', 'folder of the zoo')
    .addOption(new Option('--with <food>', 'what it gets').choices(['hay', 'fish']))
    .option('--at <host:port>', 'where')
    .option('--note <text>', 'for the keeper');
  animal.command('show <file>').description('Show a picture').option('--big', 'in full size');
  program.command('close').description('Close it');
  return program;
}

/** What bash offers for the words, in a shell that has only read the file. */
async function complete(...words: string[]): Promise<string[]> {
  const file = path.join(folder, 'zoo.bash');
  await writeFile(file, renderBashCompletion('kiwistack-zoo', commandTree(zoo())));
  const script = `. ${file}; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _kiwistack_zoo; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const argv = ['-c', script, 'complete', 'kiwistack-zoo', ...words];
  return (await run('/bin/bash', argv)).stdout.split('\n').filter(Boolean);
}

describe('completion in bash', () => {
  it('offers commands, those below them, options, and the values of an option', async () => {
    expect(await complete('')).toEqual(['animal', 'close', 'help', '--version', '--help']);
    expect(await complete('ani')).toEqual(['animal']);
    expect(await complete('animal', 'f')).toEqual(['feed']);
    expect(await complete('animal', 'feed', 'leo', '--w')).toEqual(['--with']);
    expect(await complete('animal', 'feed', '--with', '')).toEqual(['hay', 'fish']);
    expect(await complete('animal', 'feed', '--note', '')).toEqual([]);
    expect(await complete('close', '--b')).toEqual([]);
  });

  it('offers folders and files where they belong', async () => {
    expect(await complete('animal', 'feed', '--dir', '/et')).toEqual(['/etc']);
    expect(await complete('animal', 'show', '/etc/host')).toContain('/etc/hostname');
    expect(await complete('animal', 'show', '--b')).toEqual(['--big']);
  });
});

describe('completion in zsh', () => {
  it('has a function for each group, and no text that ends a specification early', () => {
    const text = renderZshCompletion('kiwistack-zoo', commandTree(zoo()));
    expect(text).toMatch(/^#compdef kiwistack-zoo\n/u);
    expect(text).toContain("'animal:An animal'\\''s life'");
    expect(text).toContain("'--with[what it gets]:food:(hay fish)'");
    expect(text).toContain(String.raw`'--at[where]:host\:port: '`);
    expect(text).toContain('animal) _kiwistack_zoo_animal ;;');
    expect(text).toContain('_kiwistack_zoo_animal() {');
  });
});

describe('a man page', () => {
  it('has every command with its options, in lines that troff takes for text', () => {
    const page = renderManPage('.Dd @DATE@\n@COMMANDS@\n', commandTree(zoo()), { epochSeconds: 1_795_000_000 });
    expect(page).toContain('.Dd November 18, 2026\n');
    expect(page).toContain(
      '.It Cm animal feed Ar name Fl Fl dir Ar folder Op Ar option ...\n\\&.Give it food; "two" times: [or] more.\n',
    );
    expect(page).toContain('.It Fl Fl with Ar food\nWhat it gets: hay, fish.\n');
    expect(page).not.toContain('.It Cm animal\n');
  });

  it.each(NAMES)('of %s is one that troff and mdoc have nothing against', async (name) => {
    const template = await readFile(path.join(OPERATORS, `${name}.8`), 'utf8');
    const nodes = commandTree(OPERATORS_PACKAGES[name].program());
    const file = path.join(folder, `${name}.8`);
    await writeFile(file, renderManPage(template, nodes, { epochSeconds: 0 }));
    const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C.UTF-8', MANWIDTH: '200' };
    const { stdout, stderr } = await run('/usr/bin/man', ['--warnings', '-P', 'cat', '-l', file], { env });
    expect(stderr).toBe('');
    for (const { path: command, options, commands } of nodes) {
      if (commands.length > 0) continue;
      expect(stdout).toContain(command);
      for (const { flag } of options) expect(stdout).toContain(flag);
    }
  });
});

describe.each(NAMES)('the scripts of %s', (name) => {
  it('offer what --help tells, at every level', async () => {
    const app = name.replace('kiwistack-', '');
    const main = path.join(import.meta.dirname, `../../../../src/apps/${app}/main.ts`);
    const help = (await run(process.execPath, [main, '--help'])).stdout;
    const list = help.slice(help.indexOf('\nCommands:'), help.indexOf('\nExamples:'));
    const told = [...list.matchAll(/^ {2}([a-z][a-z-]*)/gmu)].map(([, command = '']) => command);
    const nodes = commandTree(OPERATORS_PACKAGES[name].program());
    expect([...(nodes[0]?.commands ?? []), 'help']).toEqual(told);
    expect(told.length).toBeGreaterThan(4);
  });
});
