import type { TunnelConfig } from '../../../src/laptop/system/tunnel.ts';
import { addressValue, domainValue } from '../../../src/laptop/tunnel/profile-values.ts';
import { profileUuid } from '../../../src/laptop/tunnel/profile-uuid.ts';
import { changeRegistry, readRegistry, type RegistryKeys } from '../registry.ts';
import { runTool, type WindowsSystem } from '../system.ts';

/** The name resolution policy table of this machine ([MS-GPNRPT], section 2.2.2), where programs add rules beside those of a domain's policy. */
const TABLE = String.raw`HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Dnscache\Parameters\DnsPolicyConfig`;
/** In `ConfigOptions`: names are asked at these servers. */
const GENERIC_DNS = 8;
const COMMENT = 'KiwiStack ';

export interface NameRule {
  /** Of the tunnel. */
  readonly tunnel: string;
  readonly servers: readonly string[];
  readonly domains: readonly string[];
}

const keyOf = (tunnel: string): string => `${TABLE}\\{${profileUuid(tunnel)}}`;

/**
 * The rule that sends names of the customer's domains, and no others, to the servers in the tunnel. A name in it begins with a dot: it and all
 * below. Undefined without servers or domains: a rule without either would be one for every name.
 */
export function renderNameRule(tunnel: string, { servers, domains }: TunnelConfig['dns']): RegistryKeys | undefined {
  if (servers.length === 0 || domains.length === 0) return undefined;
  return {
    [keyOf(tunnel)]: {
      Version: 2,
      Comment: COMMENT + tunnel,
      Name: domains.map((name) => `.${domainValue(name)}`),
      GenericDNSServers: servers.map(addressValue).join(';'),
      ConfigOptions: GENERIC_DNS,
    },
  };
}

/** Rules of ours, by their comment. */
export async function nameRules(system: WindowsSystem): Promise<NameRule[]> {
  const table = await readRegistry(system, TABLE);
  return [...table.values()].flatMap((values) => {
    const comment = values.get('Comment') ?? '';
    if (!comment.startsWith(COMMENT)) return [];
    const names = (values.get('Name') ?? '').split(String.raw`\0`).filter((name) => name !== '');
    const servers = (values.get('GenericDNSServers') ?? '').split(';').filter((server) => server !== '');
    return [{ tunnel: comment.slice(COMMENT.length), servers, domains: names.map((name) => name.replace(/^\./u, '')) }];
  });
}

/** Writes or removes the tunnel's rule. */
export async function setNameRule(system: WindowsSystem, tunnel: string, dns: TunnelConfig['dns']): Promise<void> {
  await changeRegistry(system, tunnel, renderNameRule(tunnel, dns) ?? { [keyOf(tunnel)]: undefined });
  await forgetAnswers(system);
}

export async function removeNameRule(system: WindowsSystem, tunnel: string): Promise<void> {
  if ((await nameRules(system)).every((rule) => rule.tunnel !== tunnel)) return;
  await changeRegistry(system, tunnel, { [keyOf(tunnel)]: undefined });
  await forgetAnswers(system);
}

/** Windows keeps answers, also that there is no such name, and asks again only when they are old. That it works is not needed. */
async function forgetAnswers(system: WindowsSystem): Promise<void> {
  await runTool(system, { name: 'ipconfig', args: ['/flushdns'], timeoutMs: 10_000 }).catch(() => undefined);
}
