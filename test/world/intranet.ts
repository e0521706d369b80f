import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { readSliceConfig } from '../../src/slice/config/slice-config.ts';
import type { Room } from '../lab/lab.ts';
import { certifyInside } from './inside-certificate.ts';
import { startInRoom, type LongRunning } from './long-running.ts';

/**
 * An HTTPS host that answers only inside, at 10.77.1.30, with a certificate by the customer's intermediate: an enrolled
 * laptop can reach it and trusts it, any other laptop can do neither.
 */
export async function startIntranet(inside: Room, sliceDir: string, privateDir: string): Promise<LongRunning> {
  const dir = path.join(privateDir, 'intranet');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { domains } = (await readSliceConfig(sliceDir)).inside.dns;
  const names = domains.map((domain) => `intranet.${domain}`);
  await certifyInside(sliceDir, { cn: 'Intranet', names, ip: '10.77.1.30' }, dir);
  const argv = [process.execPath, path.join(import.meta.dirname, 'intranet-host.ts'), dir];
  return startInRoom(inside, argv, {
    what: 'the intranet host',
    logFile: path.join(privateDir, 'logs', 'intranet.log'),
  });
}
