import { expect, test } from 'vitest';

import { AuditBudget } from '../../../../src/slice/decisions/audit-budget.ts';
import { clientNetwork } from '../../../../src/slice/decisions/client-network.ts';
import { crowded, gatewayLimits } from '../../../../src/slice/decisions/crowd-limits.ts';

test.each([
  ['203.0.113.77', '203.0.113.0/24'],
  ['2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['unknown', 'unknown'],
])('the network of %s is %s', (client, network) => {
  expect(clientNetwork(client)).toBe(network);
});

test('a crowd of one address or network is limited; beyond the total, each network still gets a few', () => {
  const limits = { perRemote: 3, perNetwork: 5, total: 10, few: 2 };
  const at = (ofRemote: number, ofNetwork: number, inAll: number) => crowded({ ofRemote, ofNetwork, inAll }, limits);
  expect([at(2, 4, 9), at(3, 3, 9), at(0, 5, 9)]).toEqual([undefined, 'of this address', 'of this network']);
  expect([at(1, 1, 10), at(2, 2, 10), at(0, 0, 19), at(0, 0, 20)]).toEqual([undefined, 'in all', undefined, 'in all']);
});

test('ten addresses, each at its limit, leave room for everybody else', () => {
  const { sessions, connections } = gatewayLimits({ burst: 120, perSecond: 20 });
  for (const limits of [sessions, connections]) {
    const inAll = 10 * limits.perRemote;
    expect(crowded({ inAll, ofNetwork: 0, ofRemote: 0 }, limits)).toBeUndefined();
    // An office behind one address.
    expect(crowded({ inAll, ofNetwork: 200, ofRemote: 200 }, limits)).toBeUndefined();
  }
});

test('the audit keeps its own record of the first events of a network; others do not suffer from it', () => {
  const budget = new AuditBudget({ ofNetwork: { burst: 2, perSecond: 1 }, inAll: { burst: 3, perSecond: 1 } });
  const from = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.1.1', '10.0.2.1'];
  expect(from.map((client) => budget.take(client, 0))).toEqual([true, true, false, true, false]);
});
