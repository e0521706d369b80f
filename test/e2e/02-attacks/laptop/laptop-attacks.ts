import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ERROR_CODES, EXIT } from '../../../../src/core/error-codes.ts';
import { readFleetConfig } from '../../../../src/slice/config/fleet-config.ts';
import type { Laptop } from '../../../lab/lab.ts';
import type { EnrollResult, Reader } from '../../../world/world.ts';
import { SERIAL, type Siege } from '../siege.ts';
import { answerAttacks, challengeAttacks, grantAttacks, wayAttacks, type LaptopAttack } from './cases.ts';
import { honest, Interceptor } from './interceptor.ts';

/** The real program in a laptop whose way to the gateway leads through somebody else. */
export function describeLaptopAttacks(siege: () => Siege, count: () => void): void {
  let laptop: Laptop;
  let reader: Reader;
  let interceptor: Interceptor;
  let delivered: string[];

  beforeAll(async () => {
    const { world, mallory } = siege();
    laptop = await world.addLaptop({ name: 'ada' });
    const hosts = laptop.path('/etc/hosts');
    await writeFile(hosts, (await readFile(hosts, 'utf8')).replaceAll(world.slice.address, mallory.address));
    [reader, interceptor] = await Promise.all([world.plugIn(laptop, SERIAL), Interceptor.start(siege())]);
    delivered = await laptop.changes();
  });
  afterAll(async () => {
    await reader.stop();
    await interceptor.stop();
  });

  /** Forty runs of one program: Node may remember what it compiled. */
  const fast = (): Record<string, string> => ({ NODE_COMPILE_CACHE: join(siege().world.dir, 'compiled') });

  /** dpkg keeps its own record of what was installed once. */
  const changes = async (): Promise<string[]> =>
    (await laptop.changes()).filter((line) => !/^\/var\/(?:lib\/dpkg\/status-old|log\/dpkg\.log) /u.test(line));

  async function attacked(attack: LaptopAttack): Promise<EnrollResult> {
    count();
    const before = await siege().live();
    interceptor.behave((await attack.manners?.(siege())) ?? honest, await attack.tls?.(siege()));
    const result = await siege().world.enroll(laptop, {
      args: (await attack.args?.(siege())) ?? [],
      env: fast(),
    });
    const { exit } = ERROR_CODES[attack.code];
    const error = result.result['error'] as { code?: string; detail?: string } | undefined;
    expect([error?.code, result.code], result.stdout + result.stderr).toEqual([attack.code, EXIT[exit]]);
    if (attack.why !== undefined) expect(error?.detail).toMatch(attack.why);
    const types = result.events.map((event) => event['type']);
    expect(types.includes('touch-expected')).toBe(attack.signed);
    expect(types).not.toContain('undo-failed');
    expect(await changes()).toEqual(delivered);
    expect(await quiet(laptop)).toBe(true);
    if (attack.pending === true) await siege().takeBack(laptop.name);
    expect(await siege().live()).toBe(before);
    return result;
  }

  const table = (attacks: readonly LaptopAttack[]): void => {
    test.each(attacks.map((attack) => [`${attack.name} → ${attack.code}`, attack] as const))(
      '%s',
      async (_, attack) => {
        await attacked(attack);
      },
    );
  };

  describe('before the PIN:', () => {
    table([...challengeAttacks, ...wayAttacks]);
  });
  describe('before anything is applied:', () => {
    table(grantAttacks);
  });

  describe('while it applies the grant:', () => {
    test('a package that is another than the slice promised → package-hash-mismatch', async () => {
      const { world } = siege();
      const config = await readFleetConfig(world.sliceDir);
      const file = config?.packages[0]?.file ?? '';
      const bytes = await readFile(file);
      const changed = Buffer.from(bytes);
      changed.writeUInt8((changed.at(-1) ?? 0) ^ 1, changed.length - 1);
      await writeFile(file, changed);
      try {
        await attacked({ name: 'package', code: 'package-hash-mismatch', why: /SHA-256/, signed: true });
      } finally {
        await writeFile(file, bytes);
      }
    });

    test('a Fleet server that is down → fleet-unreachable', async () => {
      await siege().world.stopFleet();
      try {
        await attacked({ name: 'Fleet', code: 'fleet-unreachable', signed: true });
      } finally {
        await siege().world.startFleet();
      }
    });
  });

  test('an interceptor who only listens learns no secret, and the laptop enrolls', async () => {
    count();
    const before = await siege().live();
    interceptor.behave(honest);
    const result = await siege().world.enroll(laptop);
    expect(result.result, result.stderr).toMatchObject({ result: 'green' });
    const deviceId = String(result.result['deviceId']);
    const [device] = siege().rows('SELECT preshared_key, wireguard_key FROM device WHERE id = ?', deviceId);
    const config = await readFleetConfig(siege().world.sliceDir);
    const secrets = {
      'pre-shared key': String(device?.['preshared_key']),
      'tunnel key': String(device?.['wireguard_key']),
      'enroll secret': config?.enrollSecret ?? '',
      'serial of the laptop': laptop.dmi.product_serial,
      'UUID of the laptop': laptop.dmi.product_uuid,
      'serial of the YubiKey': String(SERIAL),
    };
    expect(interceptor.asked.map(({ path }) => path.replaceAll(/[0-9a-f-]{36}|[\w-]{43}/gu, '…'))).toEqual(
      expect.arrayContaining([
        '/v1/enrollments',
        '/v1/enrollments/…/statement',
        '/v1/packages/…',
        '/v1/devices/…/confirm',
        '/v1/devices/…/status',
      ]),
    );
    const seen = Buffer.concat(interceptor.seen.flatMap((bytes) => [bytes, ...insides(bytes)]));
    for (const [what, secret] of Object.entries(secrets)) {
      expect(secret.length, what).toBeGreaterThan(6);
      expect(seen.includes(secret), what).toBe(false);
    }
    // What it could see was searched well: the device's id, which is no secret, is there.
    expect(seen.includes(deviceId)).toBe(true);

    const gone = await siege().world.cli(laptop, ['uninstall', '--json']);
    expect(gone.code, gone.stdout + gone.stderr).toBe(0);
    expect(await changes()).toEqual(delivered);
    expect(await siege().live()).toBe(before);
  });

  describe('when everything is applied:', () => {
    table(answerAttacks);
  });
}

/** What base64url segments of a message hold: payloads of signed messages are not hidden. */
function insides(bytes: Buffer): Buffer[] {
  if (bytes.length > 200_000) return [];
  return bytes
    .toString('latin1')
    .split(/[^\w-]+/u)
    .filter((segment) => segment.length > 8)
    .map((segment) => Buffer.from(segment, 'base64url'));
}

/** No tunnel and no agent is left running. */
async function quiet(laptop: Laptop): Promise<boolean> {
  const { stdout } = await laptop.run(['/bin/sh', '-c', 'ip -brief link; ps axo args']);
  return !/^(?:kiwi|wg)|wireguard-go|\/opt\/orbit/mu.test(stdout);
}
