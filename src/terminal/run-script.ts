import { parseArgs, type ParseArgsConfig, type ParseArgsOptionsConfig } from 'node:util';

import { KiwiError } from '../core/errors.ts';
import { outliveReader } from '../core/outlive-reader.ts';
import { systemErrorCode } from '../core/system-error-code.ts';
import { carryOut } from './carry-out.ts';
import { printFor } from './reader.ts';

type Parsed<T extends ParseArgsOptionsConfig> = ReturnType<
  typeof parseArgs<{ options: T; allowPositionals: true; strict: true }>
>;

export interface Script<T extends ParseArgsOptionsConfig> {
  /** How it is started: `npm run demo`. */
  readonly name: string;
  readonly help: string;
  /** Besides `--help`. */
  readonly options: T;
  readonly positionals?: boolean;
  readonly args?: readonly string[];
  /** @returns the exit code */
  run(flags: Parsed<T>['values'], positionals: readonly string[]): Promise<number>;
}

/** Runs a script of this project: its command line, errors and exit codes are those of the programs. */
export async function runScript<T extends ParseArgsOptionsConfig>(script: Script<T>): Promise<void> {
  const args = script.args ?? process.argv.slice(2);
  outliveReader();
  printFor({ is: 'operator', usesNpx: true });
  await carryOut(args.includes('--json'), async () => {
    const { help, flags, positionals } = readFlags(script, args);
    if (!help) return script.run(flags, positionals);
    process.stdout.write(script.help);
    return 0;
  });
}

function readFlags<T extends ParseArgsOptionsConfig>(
  { name, options, positionals: allowPositionals = false }: Script<T>,
  args: readonly string[],
): { help: boolean; flags: Parsed<T>['values']; positionals: readonly string[] } {
  const config: ParseArgsConfig = {
    args,
    options: { ...options, help: { type: 'boolean', short: 'h', default: false } },
    allowPositionals,
  };
  try {
    const { values, positionals } = parseArgs(config);
    return { help: values['help'] === true, flags: values as Parsed<T>['values'], positionals };
  } catch (error) {
    if (!(error instanceof Error) || systemErrorCode(error)?.startsWith('ERR_PARSE_ARGS_') !== true) throw error;
    // What follows the first sentence is advice to whoever wants such an argument.
    const detail = error.message.replaceAll(/\s*\n\s*/g, ' ').replace(/\.(?: .*)?$/, '');
    const hint = `Run \`${name} -- --help\` to see options and examples.`;
    throw new KiwiError('usage', { detail, hint, cause: error });
  }
}
