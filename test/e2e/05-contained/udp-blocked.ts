import { expect, test } from 'vitest';

import { readSliceConfig, writeSliceConfig } from '../../../src/slice/config/slice-config.ts';
import type { Room } from '../../lab/lab.ts';
import { plan } from '../../lab/network.ts';
import { INTRANET_URL } from '../../world/world.ts';
import type { Customer, Seat } from '../01-enrollment/customer.ts';

/** A port besides WireGuard's own, from which the slice's router leads to it: many networks let UDP through to 443. */
const OTHER_PORT = 443;

/** Gives the slice a second port, before anybody enrolls. */
export async function openOtherPort(customer: Customer): Promise<void> {
  const { sliceDir, slice } = customer.world;
  const config = await readSliceConfig(sliceDir);
  const { wireguard } = config;
  await customer.world.stopSlice();
  const endpoints = [...wireguard.endpoints, `${plan.sliceName}:${OTHER_PORT}`];
  await writeSliceConfig(sliceDir, { ...config, wireguard: { ...wireguard, endpoints } });
  await customer.world.startSlice();
  const chain = 'type nat hook prerouting priority dstnat';
  const rule = `udp dport ${OTHER_PORT} redirect to :${wireguard.port}`;
  await nft(slice, `table ip router { chain in { ${chain}; iifname "eth0" ${rule}; }; }`);
}

/** A network that lets UDP through to one port of the slice, and then to none. */
export function whenUdpIsBlocked(
  get: () => { readonly customer: Customer; readonly seat: Seat; readonly wellAgain: () => Promise<unknown> },
): void {
  test('the way there for UDP: another port is found, and where there is none, the doctor says so with those that were tried', async () => {
    const { customer, seat, wellAgain } = get();
    const { internet } = customer.world.lab;
    const { port } = customer.operator.config.wireguard;
    const cli = (...args: string[]) => customer.world.cli(seat.laptop, args);
    const block = async (ports: readonly number[]): Promise<void> => {
      const from = `ip saddr ${seat.laptop.address} ip daddr ${plan.slice} udp dport { ${ports.join(', ')} } drop`;
      const table = `table ip firewall { chain forward { type filter hook forward priority 0; ${from}; }; }`;
      await nft(internet, `table ip firewall; delete table ip firewall; ${table}`);
    };
    const doctor = async (...args: string[]) => {
      const { result } = await cli('doctor', ...args, '--json');
      const checks = result['checks'] as { code: string; state: string; error?: { code: string; detail: string } }[];
      return { result, notWell: checks.filter(({ state }) => state === 'not-well') };
    };
    await block([port]);
    try {
      const check = await cli('check', '--json');
      const followedTo = `${plan.slice}:${OTHER_PORT}`;
      expect(check, check.stdout).toMatchObject({ code: 0, result: { tunnel: { mendedBy: 'race', followedTo } } });
      expect((await seat.laptop.run(['/usr/bin/curl', '-sS', '--max-time', '5', INTRANET_URL])).code).toBe(0);

      await block([port, OTHER_PORT]);
      const detail = `no handshake at UDP ${plan.slice}:${port}, ${plan.slice}:${OTHER_PORT}`;
      const again = await cli('check', '--json');
      expect(again, again.stdout).toMatchObject({ result: { tunnel: { error: { code: 'udp-blocked', detail } } } });
      // A handshake is fresh for three minutes.
      let found = await doctor();
      await expect
        .poll(async () => (found = await doctor()).notWell.map(({ code }) => code), {
          interval: 5000,
          timeout: 300_000,
        })
        .toContain('udp');
      const { error } = found.notWell.find(({ code }) => code === 'udp') ?? {};
      expect(error).toMatchObject({ code: 'udp-blocked' });
      for (const one of [port, OTHER_PORT]) expect(error?.detail).toContain(`${plan.slice}:${one}`);
      expect(found.notWell.map(({ code }) => code)).not.toContain('tunnel-endpoint');
      const fixed = await doctor('--fix');
      expect(fixed.result['repairs']).toMatchObject([
        { name: 'mend-tunnel', mended: [], error: { code: 'udp-blocked', detail } },
      ]);
      // What does not need the tunnel goes on.
      expect(await cli('renew', '--json')).toMatchObject({ code: 0, result: { result: 'renewed' } });
    } finally {
      await nft(internet, 'delete table ip firewall');
    }
    expect(await cli('check', '--json')).toMatchObject({ code: 0 });
    await wellAgain();
  });
}

async function nft(room: Pick<Room, 'run'>, rules: string): Promise<void> {
  const { code, stderr } = await room.run(['/usr/sbin/nft', rules]);
  if (code !== 0) throw new Error(`${rules}: ${stderr}`);
}
