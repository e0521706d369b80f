/** Prints the answer: JSON for machines, lines for people. */
export function print(flags: { json?: boolean | undefined }, event: object, lines: readonly string[]): void {
  process.stdout.write(flags.json === true ? `${JSON.stringify(event)}\n` : `${lines.join('\n')}\n`);
}
