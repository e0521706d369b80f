import { describe, expect, it } from 'vitest';

import { endpointCandidates } from '../../../../src/laptop/tunnel/endpoint-candidates.ts';
import { peerInKeyfile } from '../../../../src/laptop/tunnel/edit-keyfile.ts';
import { peerIn } from '../../../../src/laptop/tunnel/edit-wg-quick.ts';
import { tunnelInterfaceName } from '../../../../src/laptop/tunnel/interface-name.ts';
import { peerOfProfile, readWgDump } from '../../../../src/laptop/tunnel/read-wg-dump.ts';

const names: Record<string, readonly string[]> = {
  'vpn.example': ['2001:db8::1', '192.0.2.1'],
  'vpn2.example': ['192.0.2.1', '192.0.2.2'],
  'many.example': Array.from({ length: 20 }, (_, index) => `192.0.2.${index + 1}`),
};
const resolve = (host: string): Promise<readonly string[]> => {
  const addresses = names[host];
  return addresses === undefined ? Promise.reject(new Error('ENOTFOUND')) : Promise.resolve(addresses);
};

describe('the endpoints to try', () => {
  it('are every address of every name, in order and each once, and literals as they are', async () => {
    const endpoints = ['vpn.example:51820', '[2001:db8::9]:443', 'vpn2.example:51820', '198.51.100.1:1'];
    expect(await endpointCandidates(endpoints, resolve)).toEqual([
      '[2001:db8::1]:51820',
      '192.0.2.1:51820',
      '[2001:db8::9]:443',
      '192.0.2.2:51820',
      '198.51.100.1:1',
    ]);
  });

  it('go on without a name that does not resolve', async () => {
    expect(await endpointCandidates(['gone.example:1', '192.0.2.5:1'], resolve)).toEqual(['192.0.2.5:1']);
    expect(await endpointCandidates(['gone.example:1'], resolve)).toEqual([]);
  });

  it('are at most six, so that each has time for a handshake', async () => {
    expect(await endpointCandidates(['many.example:1'], resolve)).toHaveLength(6);
  });
});

describe('the name of the interface', () => {
  it.each([
    ['acme', 'kiwi-acme'],
    ['abcdefghij', 'kiwi-abcdefghij'],
  ])('for %s is %s', (slug, name) => expect(tunnelInterfaceName(slug)).toBe(name));

  it('fits 15 characters and stays different for slugs that begin alike', () => {
    const [school, shop] = [tunnelInterfaceName('riverside-school'), tunnelInterfaceName('riverside-shop')];
    expect(school).toMatch(/^kiwi-river-[0-9a-f]{4}$/);
    expect(shop).toMatch(/^kiwi-river-[0-9a-f]{4}$/);
    expect(school).not.toBe(shop);
  });
});

describe('the answer of wg show', () => {
  it('is read without its secrets', () => {
    const text = 'PRIVATE\tPUBLIC\t40000\toff\nPEER\tPSK\t192.0.2.1:51820\t10.77.0.0/24\t1700000000\t148\t92\t25\n';
    const dump = readWgDump(text);
    expect(dump).toEqual({
      publicKey: 'PUBLIC',
      peers: [
        {
          publicKey: 'PEER',
          endpoint: '192.0.2.1:51820',
          lastHandshake: 1_700_000_000_000,
          rxBytes: 148,
          txBytes: 92,
        },
      ],
    });
  });

  it('tells a peer that never answered from one that did', () => {
    const dump = readWgDump('PRIVATE\tPUBLIC\t40000\toff\nPEER\t(none)\t(none)\t(none)\t0\t0\t0\toff\n');
    expect(dump?.peers[0]).toMatchObject({ endpoint: undefined, lastHandshake: undefined });
    expect(readWgDump('')).toBeUndefined();
  });

  it('leads to the peer of the profile, whoever else is there and in whatever order', () => {
    const [slice, other] = ['slice', 'other'].map((key, age) => `${key}\t(none)\t(none)\t(none)\t${age}\t0\t0\toff\n`);
    const of = (peers: string, profile: string | undefined, read = peerIn) =>
      peerOfProfile(readWgDump(`PRIVATE\tPUBLIC\t40000\toff\n${peers}`), profile, read)?.publicKey;
    for (const [profile, read] of [
      ['[Peer]\nPublicKey = slice\nEndpoint = x\n', peerIn],
      ['[wireguard-peer.slice]\nendpoint=x\n', peerInKeyfile],
    ] as const) {
      expect(of(`${slice ?? ''}${other ?? ''}`, profile, read)).toBe('slice');
      expect(of(`${other ?? ''}${slice ?? ''}`, profile, read)).toBe('slice');
      expect(of(other ?? '', profile, read)).toBeUndefined();
    }
    expect(of(other ?? '', undefined)).toBe('other');
  });
});
