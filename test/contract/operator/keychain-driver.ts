import { openKeychain } from '../../../src/operator-client/keychain.ts';
import { SignInStore } from '../../../src/operator-client/sign-in-store.ts';
import type { SignedIn } from '../../../src/operator-client/signed-in.ts';

// Beside a real secret service: keeps a sign-in as the program does, finds it in another store, and forgets it.

const [, , folder = ''] = process.argv;
const session = (gateway: string): SignedIn => ({
  ...{
    version: 1,
    gateway,
    customer: { slug: 'acme', name: 'Acme GmbH' },
    root: 'PEM',
    operator: 'anna',
    role: 'admin',
  },
  ...{ sessionId: '00000000-0000-4000-8000-000000000001', expiresAt: '2026-11-27T20:00:00.000Z' },
  sessionKey: 'the secret of the session',
});
const [one, two] = [session('https://10.77.0.1:9444'), session('https://10.78.0.1:9444')];
const keychain = await openKeychain();
await new SignInStore(folder).keep(one, 'keychain');
await new SignInStore(folder).keep(two, 'keychain');
const newest = await new SignInStore(folder).find();
const found = await new SignInStore(folder).find(one.gateway);
await new SignInStore(folder).forget(one);
const left = [await keychain.get(one.gateway), await keychain.get(two.gateway)];
const after = await new SignInStore(folder)
  .find(one.gateway)
  .catch((error: unknown) => (error as { code: string }).code);
console.log(JSON.stringify({ newest: newest.gateway, found, left: left.map((text) => text !== undefined), after }));
