import { existsSync } from 'node:fs';
import { readlink } from 'node:fs/promises';
import path from 'node:path';

import { KiwiError, toKiwiError } from '../../core/errors.ts';
import { runProgram } from '../../programs/run-program.ts';
import type { SliceConfig } from '../config/slice-config.ts';

const SS = ['/usr/bin/ss', '/bin/ss', '/usr/sbin/ss'].find((file) => existsSync(file));

type Port = readonly ['TCP' | 'UDP', number];

/**
 * A part that could not be started because somebody else has its port is a conflict that a person resolves: the error
 * names the port and who holds it. Any other error is returned unchanged.
 */
export async function explainConflict(
  thrown: unknown,
  { gateway, ca, operatorApi, wireguard }: SliceConfig,
): Promise<unknown> {
  const error = toKiwiError(thrown);
  const { detail = '' } = error;
  if (error.code !== 'slice-part-failed' || !/EADDRINUSE|address already in use/iu.test(detail)) return thrown;
  const [part = ''] = detail.split(':');
  const ports: Partial<Record<string, readonly Port[]>> = {
    gateway: [['TCP', gateway.listen.port]],
    'step-ca': [
      ['TCP', ca.port],
      ['TCP', ca.crlPort],
    ],
    'operator API': [['TCP', operatorApi.port]],
    wireguard: [['UDP', wireguard.port]],
  };
  const wanted = ports[part] ?? [];
  const held = await Promise.all(
    wanted.map(async ([protocol, port]) => {
      const holder = await holderOf(protocol, port);
      return holder === undefined ? [] : [`${protocol} port ${port} is in use by ${holder}`];
    }),
  );
  const said = held.flat().join(', ') || `port ${wanted.map(([, port]) => port).join(' or ')} is in use`;
  return new KiwiError('slice-conflict', { detail: `${part}: ${said}`, cause: error });
}

/** The program and process that listen at a port, as `ss` tells them; undefined when it tells none. */
export async function holderOf(protocol: Port[0], port: number): Promise<string | undefined> {
  if (SS === undefined) return undefined;
  const args = ['-H', '-l', '-n', '-p', protocol === 'TCP' ? '-t' : '-u', `sport = :${port}`];
  const { code, stdout } = await runProgram({ program: SS, args }).catch(() => ({ code: 1, stdout: Buffer.alloc(0) }));
  const line = stdout.toString('utf8').split('\n').find(Boolean);
  if (code !== 0 || line === undefined) return undefined;
  const [, name, pid] = /users:\(\("([^"]+)",pid=(\d+)/u.exec(line) ?? [];
  // The kernel's WireGuard has no process.
  if (name === undefined || pid === undefined) return 'the kernel (another WireGuard interface?)';
  // ss says the name of the main thread, which Node calls MainThread, whatever it runs.
  const program = await readlink(`/proc/${pid}/exe`).then(
    (file) => path.basename(file),
    () => name,
  );
  return `${program} (process ${pid})`;
}
