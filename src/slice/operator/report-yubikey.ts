import type { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { keyReport } from '../../protocol/device-report.ts';
import type { Registry } from '../registry/registry.ts';

/** All that the registry knows about one YubiKey. @throws KiwiError `yubikey-unregistered` */
export async function reportYubikey(registry: Registry, serial: number): Promise<z.input<typeof keyReport>> {
  const [yubikey, certificates, devices] = await Promise.all([
    registry.findYubikey(serial),
    registry.listCertificates({ yubikeySerial: serial }),
    registry.listDevices(),
  ]);
  if (yubikey === undefined) {
    throw new KiwiError('yubikey-unregistered', {
      detail: `serial ${serial}`,
      hint: 'See `kiwistack-operator yubikey list`.',
    });
  }
  return { yubikey, certificates, devices: devices.filter(({ yubikeySerial }) => yubikeySerial === serial) };
}
