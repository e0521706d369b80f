import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import { notKnown, well } from '../../checks/check.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { isInNetwork, prefixLengthOf } from '../config/tunnel-network.ts';
import { comparePeers } from '../endpoint/compare-peers.ts';
import { guardTable } from '../endpoint/render-guard.ts';
import { openRegistry } from '../open-registry.ts';
import { holderOf } from '../run/explain-conflict.ts';
import { unwell, whileRunning, type SliceCheck } from './slice-facts.ts';

const OTHERS = '/var/lib/kiwistack-slice';
const CHANGE = 'Change slice.json while the slice is stopped: inside, wireguard, ca or gateway.listen; then `up`.';
const RESTART = 'Restart the slice: it sets the endpoint up anew.';

const routes = z.array(z.object({ dst: z.string(), dev: z.string().optional() }));

const overlap = (one: string, other: string): boolean =>
  prefixLengthOf(one) <= prefixLengthOf(other) ? isInNetwork(baseOf(other), one) : isInNetwork(baseOf(one), other);
const baseOf = (cidr: string): string => cidr.split('/')[0] ?? '';

export const networkFree: SliceCheck = {
  code: 'network-free',
  severity: 'failure',
  what: 'The tunnel network is on no other interface of this machine.',
  matters: 'Packets for laptops go elsewhere, or those of another network come here.',
  dependsOn: [],
  async run({ config, ask }) {
    const said = await ask('ip', '-json', '-4', 'route', 'show', 'table', 'all');
    if (said === undefined) return notKnown('ip does not answer');
    const clash = routes
      .parse(JSON.parse(said === '' ? '[]' : said))
      .map(({ dst, dev }) => ({ dst: dst.includes('/') ? dst : `${dst}/32`, dev }))
      .filter(({ dst }) => /^\d+\.\d+\.\d+\.\d+\/\d+$/u.test(dst))
      .find(
        ({ dst, dev }) => dev !== config.wireguard.interface && dev !== 'lo' && overlap(dst, config.inside.network),
      );
    return clash === undefined
      ? well(config.inside.network)
      : unwell(`${config.inside.network} and ${clash.dst} on ${clash.dev ?? '?'}`, CHANGE);
  },
};

export const slicesApart: SliceCheck = {
  code: 'slices-apart',
  severity: 'failure',
  what: 'No other slice of this machine has the same interface, port or network.',
  matters: 'Only one of the two can run.',
  dependsOn: [],
  async run({ config, paths }) {
    const folders = new Set([path.dirname(paths.dir), OTHERS]);
    const clashes: string[] = [];
    let others = 0;
    for (const folder of folders) {
      for (const name of await readdir(folder).catch(() => [])) {
        const dir = path.join(folder, name);
        if (dir === paths.dir || name.startsWith('.')) continue;
        const other = await readSliceConfig(dir).catch(() => undefined);
        if (other === undefined) continue;
        others++;
        const what = clashOf(config, other);
        if (what !== undefined) clashes.push(`${what} of ${dir}`);
      }
    }
    return clashes.length === 0 ? well(`${others} others`) : unwell(clashes.join(', '), CHANGE);
  },
};

function clashOf(one: SliceConfig, other: SliceConfig): string | undefined {
  if (one.wireguard.interface === other.wireguard.interface) return `the interface ${one.wireguard.interface}`;
  if (one.wireguard.port === other.wireguard.port) return `UDP port ${one.wireguard.port}`;
  if (overlap(one.inside.network, other.inside.network)) return `the network ${one.inside.network}`;
  const same =
    one.gateway.listen.port === other.gateway.listen.port && one.gateway.listen.host === other.gateway.listen.host;
  return same ? `TCP port ${one.gateway.listen.port}` : undefined;
}

export const portsFree: SliceCheck = {
  code: 'ports-free',
  severity: 'failure',
  what: 'The ports that the slice needs are its own.',
  matters: 'The slice does not start.',
  dependsOn: [],
  async run({ config, alive }) {
    if (alive) return well('the slice has them');
    const wanted = [
      ['TCP', config.gateway.listen.port],
      ['TCP', config.ca.port],
      ['TCP', config.ca.crlPort],
      ['UDP', config.wireguard.port],
    ] as const;
    const held = await Promise.all(
      wanted.map(async ([protocol, port]) => {
        const holder = await holderOf(protocol, port);
        return holder === undefined ? [] : [`${protocol} port ${port}: ${holder}`];
      }),
    );
    return held.flat().length === 0
      ? well(wanted.map(([, port]) => port).join(', '))
      : unwell(held.flat().join('; '), `Stop what holds them. ${CHANGE}`);
  },
};

export const running: SliceCheck = {
  code: 'running',
  severity: 'failure',
  what: 'The slice runs, with all of its parts.',
  matters:
    'Laptops keep their tunnels only while the endpoint runs; without gateway and step-ca nothing is granted or renewed.',
  dependsOn: [],
  run({ parts, alive, paths }) {
    const start = `Start it: \`kiwistack-slice up --dir ${paths.dir}\`, or \`systemctl start kiwistack-slice@${path.basename(paths.dir)}\`.`;
    if (parts === undefined)
      return Promise.resolve(unwell(alive ? 'its process does not answer' : 'it is not running', start));
    const down = (['gateway', 'stepCa', 'endpoint'] as const).filter((part) => !parts[part]);
    return Promise.resolve(
      down.length === 0 ? well('gateway, step-ca, endpoint') : unwell(`${down.join(', ')}: down`, RESTART),
    );
  },
};

export const peers: SliceCheck = {
  code: 'peers',
  severity: 'failure',
  what: "The endpoint has the laptops' peers, and no others.",
  matters: 'A laptop without its peer has no tunnel; a peer without a laptop is somebody whom nobody knows.',
  dependsOn: ['running'],
  run: (facts) =>
    whileRunning(facts, async () => {
      const { config, paths, ask } = facts;
      const show = (what: string): Promise<string | undefined> => ask('wg', 'show', config.wireguard.interface, what);
      const [presharedKeys, allowedIps] = [await show('preshared-keys'), await show('allowed-ips')];
      if (presharedKeys === undefined || allowedIps === undefined) return notKnown('wg shows it to root only');
      const registry = openRegistry(paths);
      try {
        const wanted = (await registry.livePeers()).map(({ wireguardPublicKey: publicKey, ...peer }) => ({
          publicKey,
          ...peer,
        }));
        const wrong = comparePeers(wanted, { presharedKeys, allowedIps }).length;
        return wrong === 0
          ? well(`${wanted.length} peers`)
          : unwell(
              `${wrong} of ${wanted.length} differ`,
              `The slice compares them every half minute; run this again then. ${RESTART}`,
            );
      } finally {
        registry.close();
      }
    }),
};

export const forwarding: SliceCheck = {
  code: 'forwarding',
  severity: 'failure',
  what: 'The machine forwards packets between the tunnel and the networks inside.',
  matters: 'Laptops reach the slice, and nothing behind it.',
  dependsOn: ['running'],
  run: (facts) =>
    whileRunning(facts, async () => {
      const on = (await readFile('/proc/sys/net/ipv4/ip_forward', 'utf8')).trim() === '1';
      return on
        ? well('net.ipv4.ip_forward is 1')
        : unwell('net.ipv4.ip_forward is 0: something has switched it off', RESTART);
    }),
};

export const packetFilter: SliceCheck = {
  code: 'packet-filter',
  severity: 'failure',
  what: 'Only the tunnel reaches the networks inside.',
  matters:
    'A neighbour of this machine could send packets to what is inside, and laptops could reach what they should not.',
  dependsOn: ['running'],
  run: (facts) =>
    whileRunning(facts, async () => {
      const table = guardTable(facts.config.wireguard.interface);
      if ((await facts.ask('nft', 'list', 'tables')) === undefined) return notKnown('nft shows it to root only');
      const there = await facts.ask('nft', 'list', 'table', ...table.split(' '));
      return there?.includes('chain arriving') === true
        ? well(`table ${table}`)
        : unwell(`table ${table} is gone: something has emptied the ruleset`, RESTART);
    }),
};
