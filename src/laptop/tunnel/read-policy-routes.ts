import type { LocalNetwork } from '../system/tunnel.ts';

/** A rule with one of these is for some packets only: marked ones, those of one interface, one user, one protocol. */
const CONDITIONS = new Set(['fwmark', 'iif', 'oif', 'uidrange', 'ipproto', 'sport', 'dport', 'tos', 'dsfield']);
const REFUSALS = new Set(['unreachable', 'blackhole', 'prohibit']);
const EVERYWHERE = '0.0.0.0/0';

/**
 * The routes that policy routing (ip-rule(8)) asks before the main table, which has the tunnel's: a VPN that takes all traffic or
 * serves a table of its own makes such rules. Of them, a wider route also wins over the tunnel's, up to a default route.
 *
 * Text, because the field names of `ip -json` differ between versions.
 * @param rules what `ip -4 rule show` prints, in the order in which the kernel asks
 * @param routes what `ip -4 route show table all` prints
 * @param tunnel the interface of our own tunnel, which is left out
 */
export function readPolicyRoutes(rules: string, routes: string, tunnel: string): LocalNetwork[] {
  const found: LocalNetwork[] = [];
  for (const line of rules.split('\n')) {
    const rule = readRule(line);
    if (rule === undefined || rule.table === 'local') continue;
    // Whatever comes later is asked only where main has no route, or no default route (`suppress_prefixlength`): the tunnel has one.
    if (rule.table === 'main') break;
    if (rule.refusal !== undefined) {
      found.push({ kind: 'policy route', interface: rule.refusal, network: rule.to ?? EVERYWHERE, except: [] });
    }
    const table = routesOf(routes, rule.table).filter((route) => route.interface !== tunnel);
    const except = table.filter(({ type }) => type === 'throw').map(({ network }) => network);
    for (const { type, interface: name, network } of table) {
      if (type === 'throw' || lengthOf(network) <= rule.suppressed) continue;
      // A rule for a destination: of a wider route only that.
      const seen = rule.to !== undefined && lengthOf(network) < lengthOf(rule.to) ? rule.to : network;
      found.push({ kind: 'policy route', interface: name, network: seen, except });
    }
  }
  return found;
}

interface Rule {
  readonly table: string | undefined;
  readonly refusal: string | undefined;
  readonly to: string | undefined;
  /** Routes of this prefix length and shorter are not used. */
  readonly suppressed: number;
}

/** `5270:	from all lookup 52`, `32765:	not from all fwmark 0xca6c lookup 51820`. @returns undefined for one that is not for all packets */
function readRule(line: string): Rule | undefined {
  const words = line.trim().split(/\s+/u).slice(1);
  const after = (word: string): string | undefined =>
    words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
  const conditions = words.filter((word) => CONDITIONS.has(word));
  // "All but the marked ones" is every packet of a program that knows nothing of the mark.
  const applies = words[0] === 'not' ? conditions.includes('fwmark') : conditions.length === 0;
  if (!applies || after('from') !== 'all') return undefined;
  return {
    table: after('lookup'),
    refusal: words.find((word) => REFUSALS.has(word)),
    to: after('to'),
    suppressed: Number(after('suppress_prefixlength') ?? -1),
  };
}

function routesOf(text: string, table: string | undefined): { type: string; interface: string; network: string }[] {
  if (table === undefined) return [];
  return text.split('\n').flatMap((line) => {
    const words = line.trim().split(/\s+/u);
    if (words[words.indexOf('table') + 1] !== table || !words.includes('table')) return [];
    const network = words.slice(0, 2).find((word) => word === 'default' || /^\d+(?:\.\d+){3}(?:\/\d+)?$/u.test(word));
    if (network === undefined) return [];
    const name = words.includes('dev') ? (words[words.indexOf('dev') + 1] ?? '') : (words[0] ?? '');
    return [{ type: words[0] ?? '', interface: name, network: network === 'default' ? EVERYWHERE : network }];
  });
}

function lengthOf(network: string): number {
  return Number(network.split('/')[1] ?? 32);
}
