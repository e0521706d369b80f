/**
 * Whoever reads what we write may go: the terminal's window is closed, the program behind the pipe ends. What we were doing
 * is then finished or taken back all the same; without this the first write into nothing would end us in the middle.
 */
export function outliveReader(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}
