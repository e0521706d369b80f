import path from 'node:path';

import { addOperators, ANNA, exchange } from './add-operators.ts';
import { approvalIn, operatorTypes, type Seat } from './operator-types.ts';
import type { Scene } from './scene.ts';

const NEW_SERIAL = 87654321;
const SIGN_IN = ['sign-in', '--gateway', 'https://10.77.0.1:9444', '--store', 'file'];
/** Changing when two are needed needs two. */
const CHANGE = ['operator', 'two-persons', '--when', 'always', '--many-devices', '5'];

/** A YubiKey for somebody new; then two operators with YubiKeys of their own sign in, and do together what neither may do alone. */
export async function playOperators({ world, laptop, reader, serial, say }: Scene): Promise<object> {
  const stage = { world, say };
  const began = performance.now();
  say('\nSomebody new gets a YubiKey that enrolls laptops. It is plugged in at the slice:');
  world.makeKey(NEW_SERIAL);
  const atSlice = await world.plugIn(world.slice, NEW_SERIAL, { delayMs: 700 });
  await operatorTypes(stage, ['yubikey', 'provision', '--role', 'teacher'], { pin: true });
  say('\nTwo more YubiKeys, one after the other: those of two operators.');
  await addOperators(stage, atSlice);

  const anna: Seat = { name: 'anna', room: laptop };
  // What bob keeps must not be in the home directory of whoever runs this.
  const bob: Seat = { name: 'bob', room: world.slice, env: { HOME: path.join(world.dir, 'private', 'bob') } };
  await exchange(world, reader, ANNA);
  say("\nAnna takes hers to the laptop ada, whose package pins the provider's root.");
  await operatorTypes(stage, SIGN_IN, { seat: anna, pin: true });
  say("\nBob signs in at another machine: here the slice's, where the root is in its folder.");
  const roots = ['--msp-roots', path.join(world.sliceDir, 'msp', 'root.crt')];
  await operatorTypes(stage, [...SIGN_IN, ...roots], { seat: bob, pin: true });
  await operatorTypes(stage, ['device', 'list'], { seat: anna });

  say('\nWhat is critical, Anna cannot do alone. She signs it, and leaves it for somebody else:');
  await operatorTypes(stage, CHANGE, { seat: anna, code: 3 });
  const id = approvalIn(await operatorTypes(stage, [...CHANGE, '--ask-approval'], { seat: anna, pin: true }));
  await operatorTypes(stage, ['approval', 'list'], { seat: bob });
  await operatorTypes(stage, ['approval', 'show', id.slice(0, 8)], { seat: bob });
  await operatorTypes(stage, ['approval', 'approve', id, '--yes'], { seat: bob, pin: true });
  say('\nThe audit has both, and what each has signed:');
  const audit = await operatorTypes(stage, ['audit', 'list', '--limit', '4'], { seat: anna });
  if (!audit.includes('anna and bob')) throw new Error('the scenario went otherwise');
  for (const seat of [anna, bob]) await operatorTypes(stage, ['sign-out'], { seat });

  await exchange(world, reader, serial);
  say(
    "\nTo type this yourself: npm run demo -- --keep --scenario operators. Bob's YubiKey then stays plugged in at the slice.",
  );
  return { scenario: 'operators', ms: performance.now() - began };
}
