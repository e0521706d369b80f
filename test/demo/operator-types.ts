import type { Room } from '../lab/lab.ts';
import { OPERATOR, PIN, type World } from '../world/world.ts';

/** Where an operator sits who is signed in. */
export interface Seat {
  readonly name: string;
  readonly room: Pick<Room, 'run'>;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Typed {
  /** Without one, on the slice's machine in its folder. */
  readonly seat?: Seat;
  /** The demo enters the PIN of the YubiKey that is plugged in there. */
  readonly pin?: boolean;
  /** The exit code that it ends with. */
  readonly code?: number;
}

/**
 * Shows a command of an operator as it is typed, runs it, and shows what it answers: what is refused with its hint.
 * @returns all that it printed
 */
export async function operatorTypes(
  { world, say }: { readonly world: World; readonly say: (line: string) => void },
  args: readonly string[],
  { seat, pin = false, code: expected = 0 }: Typed = {},
): Promise<string> {
  // As the shells of a demo that is kept call its folder.
  const words = args.map((word) => word.replace(world.dir, '$D'));
  const typed = words.map((word) => (word.includes(' ') ? `"${word}"` : word)).join(' ');
  const asked = [...OPERATOR, ...args, ...(seat === undefined ? ['--dir', world.sliceDir] : [])];
  say(
    seat === undefined ? `\n$ kiwistack-operator ${typed} --dir acme` : `\n${seat.name}$ kiwistack-operator ${typed}`,
  );
  const { room, env = {} } = seat ?? { room: world.slice };
  const options = pin ? { input: `${PIN}\n`, env } : { input: '', env };
  const { code, stdout, stderr } = await room.run([...asked, ...(pin ? ['--pin-fd', '0'] : [])], options);
  if (code !== expected) {
    throw new Error(`kiwistack-operator ${typed} ended with ${code}, not ${expected}: ${stdout}${stderr}`);
  }
  say((code === 0 && stdout !== '' ? stdout : `${stdout}${stderr}`).trimEnd());
  return `${stdout}${stderr}`;
}

/** The id of what was asked for. */
export function approvalIn(output: string): string {
  const id = /approval ([0-9a-f-]{36})/u.exec(output)?.[1];
  if (id === undefined) throw new Error(`no approval was asked for: ${output}`);
  return id;
}
