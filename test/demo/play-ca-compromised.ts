import { Provider } from '../world/provider.ts';
import { CLI } from '../world/world.ts';
import { addOperators, ANNA, BOB, exchange } from './add-operators.ts';
import { approvalIn, operatorTypes } from './operator-types.ts';
import type { Scene } from './scene.ts';

/** The key of the customer's intermediate was stolen: a new one takes its place, and the laptop follows without its YubiKey. */
export async function playCaCompromised({ world, laptop, reader, serial, say }: Scene): Promise<object> {
  const stage = { world, say };
  say('\nTwo operators have YubiKeys of their own, so that nobody changes the intermediate alone:');
  const operators = await world.plugIn(world.slice, undefined, { delayMs: 700 });
  await addOperators(stage, operators);

  say("\nSomebody has stolen the key of Acme's intermediate. On the slice, and where the provider's root is:");
  const began = performance.now();
  const provider = new Provider(world, (line) => {
    say(`$ ${line}`);
  });
  await provider.replace([], ['--first'], async (keyDigest) => {
    say('\nBoth permit it, for the digest of this key:');
    await exchange(world, operators, ANNA);
    const permit = ['intermediate', 'permit', '--key-digest', keyDigest, '--ask-approval'];
    const id = approvalIn(await operatorTypes(stage, permit, { pin: true }));
    await exchange(world, operators, BOB);
    await operatorTypes(stage, ['approval', 'approve', id, '--yes'], { pin: true });
    say('\nOn the slice again:');
  });
  const replacedMs = performance.now() - began;
  say(`The slice runs with a new intermediate; the old one is revoked (${(replacedMs / 1000).toFixed(1)} s).`);

  await reader.stop();
  say('\nThe YubiKey is pulled out. What a timer runs on the laptop every hour:');
  say('$ kiwistack-enroll check');
  const checked = await laptop.run([...CLI, 'check']);
  if (checked.code !== 0) throw new Error(`check ended with ${checked.code}: ${checked.stdout}${checked.stderr}`);
  say(checked.stdout.trimEnd());
  const crl = ['crl', '-in', '/var/lib/kiwistack/revoked.pem', '-noout', '-text'];
  const list = await laptop.run(['/usr/bin/openssl', ...crl]);
  if (list.code !== 0) throw new Error(`the laptop has no list: ${list.stderr}`);
  say('\nIt moved to the new intermediate, and will never again believe the old one:');
  for (const line of list.stdout.split('\n').filter((text) => /Issuer:|Serial Number:|Key Compromise/u.test(text)))
    say(line);

  say('\nThe YubiKeys get new certificates, without PIN and touch: the one that enrolls laptops,');
  await operatorTypes(stage, ['yubikey', 'list']);
  // Nobody touches it.
  await operators.control.touchMode('never');
  await exchange(world, operators, serial);
  await operatorTypes(stage, ['yubikey', 'reissue']);
  say('\nand those of the operators:');
  await operatorTypes(stage, ['operator', 'list']);
  for (const key of [ANNA, BOB]) {
    await exchange(world, operators, key);
    await operatorTypes(stage, ['operator', 'reissue', '--yes']);
  }
  await operators.stop();

  say('\nWhether it worked:');
  await operatorTypes(stage, ['audit', 'list', '--since', '2h', '--limit', '6']);
  await operatorTypes(stage, ['device', 'list']);
  return { scenario: 'ca-compromised', replacedMs, ms: performance.now() - began };
}
