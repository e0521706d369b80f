import { Provider } from '../world/provider.ts';
import { CLI, OPERATOR } from '../world/world.ts';
import type { Scene } from './scene.ts';

/** The key of the customer's intermediate was stolen: a new one takes its place, and the laptop follows without its YubiKey. */
export async function playCaCompromised({ world, laptop, reader, serial, say }: Scene): Promise<object> {
  say("\nSomebody has stolen the key of Acme's intermediate. On the slice, and where the provider's root is:");
  const began = performance.now();
  const provider = new Provider(world, (line) => {
    say(`$ ${line}`);
  });
  await provider.replace();
  const replacedMs = performance.now() - began;
  say(`The slice runs with a new intermediate; the old one is revoked (${(replacedMs / 1000).toFixed(1)} s).`);

  await reader.stop();
  say('\nThe YubiKey is pulled out. What a timer runs on the laptop every hour:');
  say('$ kiwistack-enroll check');
  const checked = await laptop.run([...CLI, 'check']);
  if (checked.code !== 0) throw new Error(`check ended with ${checked.code}: ${checked.stdout}${checked.stderr}`);
  say(checked.stdout.trimEnd());
  const list = await laptop.run([
    '/usr/bin/openssl',
    'crl',
    '-in',
    '/var/lib/kiwistack/revoked.pem',
    '-noout',
    '-text',
  ]);
  if (list.code !== 0) throw new Error(`the laptop has no list: ${list.stderr}`);
  say('\nIt moved to the new intermediate, and will never again believe the old one:');
  for (const line of list.stdout.split('\n').filter((text) => /Issuer:|Serial Number:|Key Compromise/u.test(text)))
    say(line);

  say('\nThe YubiKeys get new certificates, without PIN and touch:');
  const atOperator = await world.plugIn(world.slice, serial, { mode: 'never' });
  say('$ kiwistack-operator yubikey reissue --dir acme');
  const reissued = await world.slice.run([...OPERATOR, 'yubikey', 'reissue', '--dir', world.sliceDir]);
  await atOperator.stop();
  if (reissued.code !== 0) throw new Error(`reissue ended with ${reissued.code}: ${reissued.stderr}`);
  say(reissued.stdout.trimEnd());
  return { scenario: 'ca-compromised', replacedMs, ms: performance.now() - began };
}
