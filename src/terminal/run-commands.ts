import { CommanderError, type Command } from 'commander';

import { EXIT } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';
import { outliveReader } from '../core/outlive-reader.ts';
import { VERSION } from '../core/version.ts';
import { asTyped, printFor, type Reader } from './reader.ts';
import { endWith } from './report.ts';

/** The end of every program's help. */
const EXIT_CODES = `
Exit codes:
  0    success; also when there was nothing to do
  2    usage error, or the command does not fit what exists
  3    a person must do something: plug in, enter the PIN, touch, decide
  4    the slice refused, or it failed verification
  5    the slice, the tunnel or Fleet did not answer
  6    this machine is not suitable, or something is missing on it
  7    internal error, or a system program failed
  130  cancelled; changes were undone, or the output names what was not`;

/** Runs a program with commands. A command line that it does not understand is reported like any other error. */
export async function runCommands(
  program: Command,
  options: { readonly reader: Reader; readonly argv: readonly string[] },
): Promise<void> {
  outliveReader();
  printFor(options.reader);
  // A process that ends before its command has finished is an internal error.
  process.exitCode = EXIT.fault;
  program.version(VERSION).addHelpText('afterAll', EXIT_CODES);
  let understood = program;
  for (const command of withSubcommands(program)) {
    command.configureOutput({
      outputError: () => undefined,
      writeOut: (text) => process.stdout.write(asTyped(text)),
      writeErr: (text) => process.stderr.write(asTyped(text)),
    });
    command.exitOverride((error) => {
      understood = command;
      throw error;
    });
  }
  try {
    await program.parseAsync([...options.argv]);
  } catch (error) {
    const json = options.argv.includes('--json');
    if (!(error instanceof CommanderError)) endWith(error, json);
    else if (error.exitCode === 0) process.exitCode = EXIT.done;
    else endWith(usageError(error, nameOf(understood)), json);
  }
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;

function usageError(error: CommanderError, command: string): KiwiError {
  const help = error.code === 'commander.help';
  return new KiwiError('usage', {
    detail: help ? 'no command was given' : error.message.replace(/^error: /, '').replaceAll(/\s*\n\s*/g, ' '),
    hint: `Run \`${command} --help\` to see options and examples.`,
    cause: error,
  });
}
