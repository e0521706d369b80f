import { afterEach, beforeEach, expect, test } from 'vitest';

import { provisionYubikey } from '../../../../src/apps/operator/provision-yubikey.ts';
import { base64url } from '../../../../src/core/bytes.ts';
import { makeCsr } from '../../../../src/pki/csr.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import type { Token } from '../../../../src/token/token.ts';
import { serveSlice, type ServedSlice } from '../operator-api/served-slice.ts';

let slice: ServedSlice;
beforeEach(async () => {
  slice = await serveSlice();
});
afterEach(() => slice.end());

test('an operator’s YubiKey does not become one that enrolls laptops: its key is not overwritten', async () => {
  const { yubikeySerial: serial } = await slice.operator('anna', 'admin');
  const never = (): never => {
    throw new TypeError('nothing is asked of the YubiKey');
  };
  await slice.asRoot(async (root) => {
    const provisioned = provisionYubikey({
      ...{ slice: root, role: 'engineer', reinstate: false, managementKey: 'default', askPin: never, progress: never },
      token: { list: () => Promise.resolve([{ serial }]), programs: never, close: never } as unknown as Token,
      signal: new AbortController().signal,
    });
    await expect(provisioned).rejects.toMatchObject({ code: 'operator-exists', detail: `anna, YubiKey ${serial}` });
    // Nor for a program that does not look.
    const csr = base64url(await makeCsr(generateP256(), 'x'));
    const certified = root.ask('yubikey.certify', { csr, serial, slot: '9c', role: 'engineer' });
    await expect(certified).rejects.toMatchObject({ code: 'operator-exists' });
  });
});
