import { CLI, PIN } from '../world/world.ts';
import { operatorTypes } from './operator-types.ts';
import type { Scene } from './scene.ts';

const NEW_SERIAL = 87654321;

/** The YubiKey that has enrolled the laptop is lost: burned, and replaced by another one, with one command. */
export async function playKeyLost({ world, laptop, reader, serial, say }: Scene): Promise<object> {
  say(`\nYubiKey ${serial} is lost. Its owner is at the operator's machine, with a new one plugged in.`);
  world.makeKey(NEW_SERIAL);
  const slot = await world.plugIn(world.slice, NEW_SERIAL, { delayMs: 700 });
  const began = performance.now();
  const args = ['--serial', `${serial}`, '--new-serial', `${NEW_SERIAL}`, '--why', 'left in a train', '--yes'];
  await operatorTypes({ world, say }, ['yubikey', 'replace', ...args], { pin: true });
  const ms = performance.now() - began;
  await slot.stop();
  say('\nThe laptop that it enrolled goes on:\n$ kiwistack-enroll renew');
  const renewed = await laptop.run([...CLI, 'renew']);
  say(renewed.stdout.trimEnd());
  say(
    '\nWhoever finds the old one, and knows its PIN, enrolls nothing:\n$ kiwistack-enroll uninstall; kiwistack-enroll enroll',
  );
  await laptop.run([...CLI, 'uninstall']);
  const refused = await laptop.run([...CLI, 'enroll', '--pin-fd', '0'], { input: `${PIN}\n` });
  say((refused.stderr.split('\n').find((line) => line.startsWith('error')) ?? refused.stderr).trimEnd());
  if (renewed.code !== 0 || !refused.stderr.includes('yubikey-burned')) throw new Error('the scenario went otherwise');
  say('\nWith the new one:');
  await reader.control.pull();
  await reader.control.insert(world.keyFile(NEW_SERIAL));
  const enrolled = await laptop.run([...CLI, 'enroll', '--pin-fd', '0'], { input: `${PIN}\n` });
  say(enrolled.stdout.trimEnd().split('\n').slice(-2).join('\n'));
  if (enrolled.code !== 0) throw new Error(enrolled.stderr);
  return { scenario: 'key-lost', replacedMs: ms };
}
