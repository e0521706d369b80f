import type { World } from '../world/world.ts';

/** Shows a command of an operator as it is typed, runs it on the slice's machine, and shows what it answers. */
export async function operatorTypes(
  { world, say }: { readonly world: World; readonly say: (line: string) => void },
  args: readonly string[],
  input = '',
): Promise<string> {
  const typed = args.map((word) => (word.includes(' ') ? `"${word}"` : word)).join(' ');
  say(`\n$ kiwistack-operator ${typed} --dir acme`);
  const { code, stdout, stderr } = await world.operator([...args, '--dir', world.sliceDir], input);
  if (code !== 0) throw new Error(`kiwistack-operator ${typed} ended with ${code}: ${stdout}${stderr}`);
  say(stdout.trimEnd());
  return stdout;
}
