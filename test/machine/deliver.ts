import path from 'node:path';

import { TOKEN_FILE } from '../../src/apps/enroll/claim-command.ts';
import type { Listed } from '../world/delivery.ts';
import type { Machine } from './machine.ts';

/** As its OEM lists it. */
export function listed({ smbios: { serial, uuid, product } }: Machine): Listed {
  return { dmi: { product_serial: serial, product_uuid: uuid, product_name: product } };
}

/**
 * What an OEM does last: the token is on the disk, and the laptop is switched off. Its next boot is its first start.
 * @param tokens the folder with the tokens of its batch
 */
export async function deliver(machine: Machine, tokens: string): Promise<void> {
  await machine.copyIn(path.join(tokens, `${machine.smbios.serial}.json`), TOKEN_FILE);
  await machine.shutDown();
}
