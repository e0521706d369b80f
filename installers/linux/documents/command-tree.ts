import type { Command } from 'commander';

/** A command as it is documented: everything that a person can type. */
export interface CommandNode {
  /** From the program's name on: `device end`; empty for the program itself. */
  readonly path: string;
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly parameters: readonly Parameter[];
  /** Names of the commands below it. */
  readonly commands: readonly string[];
}

export interface OptionNode {
  /** `--dir` */
  readonly flag: string;
  readonly description: string;
  readonly mandatory: boolean;
  /** What follows it; absent for a switch. */
  readonly value?: Parameter;
}

export interface Parameter {
  readonly name: string;
  readonly choices: readonly string[];
  readonly variadic: boolean;
}

/** The commands of a program, depth first, the program itself first. */
export function commandTree(program: Command): CommandNode[] {
  return nodesOf(program, '');
}

function nodesOf(command: Command, path: string): CommandNode[] {
  const inner = command.commands.map((child) => nodesOf(child, path === '' ? child.name() : `${path} ${child.name()}`));
  const node: CommandNode = {
    path,
    description: command.description(),
    options: command.options
      .filter(({ hidden }) => !hidden)
      .map((option) => ({
        flag: option.long ?? option.short ?? '',
        description: option.description,
        mandatory: option.mandatory,
        ...valueOf(option),
      })),
    parameters: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      choices: argument.argChoices ?? [],
      variadic: argument.variadic,
    })),
    commands: command.commands.map((child) => child.name()),
  };
  return [node, ...inner.flat()];
}

function valueOf({ flags, argChoices, variadic }: Command['options'][number]): { value?: Parameter } {
  const name = /[<[]([^>\]]+?)(?:\.\.\.)?[>\]]/u.exec(flags)?.[1];
  return name === undefined ? {} : { value: { name, choices: argChoices ?? [], variadic } };
}

/** What every program has besides its own options. */
export const EVERYWHERE = ['--help'];
export const TOP_LEVEL = ['--version', '--help'];
