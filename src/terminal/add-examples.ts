import type { Command } from 'commander';

/** Shows examples in the help: all of them in that of the program, and in that of a command those that use it. */
export function addExamples(program: Command, examples: readonly string[]): void {
  addTo(program, examples, program.name());
}

function addTo(command: Command, examples: readonly string[], name: string): void {
  const fitting = examples.filter((example) => `${example} `.includes(`${name} `));
  if (fitting.length > 0)
    command.addHelpText('after', ['', 'Examples:', ...fitting.map((line) => `  ${line}`)].join('\n'));
  for (const inner of command.commands) addTo(inner, examples, `${name} ${inner.name()}`);
}
