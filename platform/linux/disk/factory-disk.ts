import { z } from 'zod';

import { ignoreMissing } from '../../../src/core/durable-file.ts';
import { readCappedFile } from '../../../src/core/read-capped-file.ts';
import { parseMessage } from '../../../src/protocol/parse.ts';
import { PATHS } from '../paths.ts';
import { at, type LinuxSystem } from '../system.ts';

const MAX_BYTES = 4096;

/** A path without `..`, in one of the places where such a thing is. */
const device = z.string().regex(/^\/dev\/(?!.*\/\.\.?(?:\/|$))[A-Za-z0-9._:/\\-]{1,200}$/);

/** What an image's maker says of the disk, in /etc/kiwistack/factory-disk.json. Its key lies beside it. */
const schema = z.strictObject({
  /** The volume that is to be secured: the same path on every laptop of the image, such as one below /dev/disk/by-partlabel. */
  device,
  /** `shared`: the image was copied with its volume. `own`: the volume was formatted when this laptop was made. */
  volumeKey: z.enum(['shared', 'own']),
});
export type FactoryDisk = z.infer<typeof schema>;

/** @returns undefined where no OEM has left one @throws KiwiError `state-damaged` */
export async function readFactoryDisk(system: LinuxSystem): Promise<FactoryDisk | undefined> {
  const bytes = await readCappedFile(at(system, PATHS.factoryDisk), { maxBytes: MAX_BYTES }).catch(ignoreMissing);
  return bytes === undefined ? undefined : parseMessage(schema, bytes, MAX_BYTES, 'state-damaged');
}
