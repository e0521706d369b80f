import { expect, test } from 'vitest';

import { GUARDED } from '../../../../src/apps/operator/guard-options.ts';
import { operatorProgram } from '../../../../src/apps/operator/operator-program.ts';

test('every command that is guarded is there, and has --dry-run if it changes something', () => {
  const commands = operatorProgram().commands.flatMap((noun) =>
    noun.commands.map((command) => [`${noun.name()} ${command.name()}`, command] as const),
  );
  const names: string[] = commands.map(([name]) => name);
  expect(GUARDED.filter((name) => !names.includes(name))).toEqual([]);
  const options = new Map(commands.map(([name, command]) => [name as string, command.options.map(({ long }) => long)]));
  expect(options.get('yubikey burn')).toEqual(expect.arrayContaining(['--dry-run', '--ask-approval', '--pin-fd']));
  expect(options.get('device list')).not.toContain('--dry-run');
});
