import { createPrivateKey } from 'node:crypto';

import type { WindowsCertificateStore } from '../../../../platform/windows/certificate-store.ts';
import { unseal } from '../../../../platform/windows/sealed.ts';
import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import { makeDeviceCertificate } from '../linux/test-certificates.ts';
import type { FakeWindows } from './fake-windows.ts';

/** A device certificate for the key that the store has, which is made where there is none. */
export async function certificateFor(
  machine: FakeWindows,
  store: WindowsCertificateStore,
  name: string,
): Promise<DeviceCertificate> {
  await store.createDeviceKey(name);
  const text = await machine.read(`ProgramData/KiwiStack/Certificates/${name}.key`);
  const sealed = Buffer.from(text?.split('\n')[1] ?? '', 'base64');
  const key = await unseal(machine, 'kiwistack-enroll device key', sealed);
  return makeDeviceCertificate(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}
