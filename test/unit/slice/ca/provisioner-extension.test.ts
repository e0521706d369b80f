import { expect, test } from 'vitest';

import { provisionerExtension, provisionerName } from '../../../../src/slice/ca/provisioner-extension.ts';

test("smallstep's extension names the provisioner", () => {
  const extension = provisionerExtension('yubikey', 'k'.repeat(43));
  expect(extension.subarray(0, 7).toString('hex')).toBe('3039020101' + '0407');
  expect(provisionerName(extension)).toBe('yubikey');
  expect(provisionerName(Buffer.from('3000', 'hex'))).toBeUndefined();
});
