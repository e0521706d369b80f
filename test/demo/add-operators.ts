import type { Reader, World } from '../world/world.ts';
import { operatorTypes } from './operator-types.ts';

/** Serial numbers of the YubiKeys of two operators. */
export const ANNA = 30000001;
export const BOB = 30000002;

/**
 * Two YubiKeys become those of admins, one after the other at the slice's machine.
 * @param reader there; the last of them stays plugged in
 */
export async function addOperators(
  stage: { readonly world: World; readonly say: (line: string) => void },
  reader: Reader,
): Promise<void> {
  for (const [name, serial] of [
    ['anna', ANNA],
    ['bob', BOB],
  ] as const) {
    stage.world.makeKey(serial);
    await exchange(stage.world, reader, serial);
    await operatorTypes(stage, ['operator', 'add', name, '--role', 'admin'], { pin: true });
  }
}

/** A YubiKey is plugged in, instead of one that may be there. */
export async function exchange(world: World, { control }: Reader, serial: number): Promise<void> {
  if ((await control.show()).keys.length > 0) await control.pull();
  await control.insert(world.keyFile(serial));
}
