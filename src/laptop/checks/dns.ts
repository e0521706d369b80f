import { KiwiError } from '../../core/errors.ts';
import { notKnown, notWell, well, type Check, type Finding } from './check.ts';
import { nameIn } from './enrollment-facts.ts';

function hasAddress(name: string, addresses: readonly string[], hint?: string): Finding {
  if (addresses.length > 0) return well(`${name}: ${addresses.slice(0, 4).join(', ')}`);
  return notWell(new KiwiError('name-unresolved', { detail: name, ...(hint === undefined ? {} : { hint }) }));
}

export const gatewayNamed: Check = {
  code: 'dns-gateway',
  severity: 'failure',
  what: "The gateway's name has an address.",
  matters: 'The slice cannot be asked, and the certificate cannot be renewed.',
  dependsOn: [],
  async run({ context, record }) {
    const name = nameIn(record.gatewayUrl);
    if (name === undefined) return well(`${record.gatewayUrl} names an address`);
    return hasAddress(name, await context.platform.inspector.resolve(name));
  },
};

export const insideNamed: Check = {
  code: 'dns-inside',
  severity: 'failure',
  what: "The Fleet server's name, which is inside, has an address.",
  matters: 'The Fleet agent finds its server no more.',
  dependsOn: ['tunnel-inside'],
  async run({ insideName, record }) {
    const found = await insideName();
    if (found === undefined) return well(`${record.device?.fleetUrl ?? ''} names an address`);
    const hint = 'Names inside are resolved through the tunnel. See what `kiwistack-enroll doctor` says of dns-split.';
    return hasAddress(found.name, found.addresses, hint);
  },
};

export const splitDns: Check = {
  code: 'dns-split',
  severity: 'failure',
  what: "The organisation's names are resolved through the tunnel.",
  matters: 'Names inside have no address.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel }) {
    const { splitDns: wanted, interface: name } = await tunnel();
    const links = await context.platform.inspector.resolver();
    if (links === undefined) return notKnown('this system has no systemd-resolved: all names are resolved alike');
    const link = links.find((one) => one.interface === name);
    const domains = link?.domains ?? [];
    if (link !== undefined && link.servers.length > 0 && domains.length > 0) {
      return well(`${domains.join(', ')} at ${link.servers.join(', ')}`);
    }
    if (!wanted) return well('the organisation has no names of its own');
    const detail = `${name} has ${link === undefined || link.servers.length === 0 ? 'no name server' : 'no domain'}`;
    return notWell(new KiwiError('split-dns-missing', { detail }), 'restart-tunnel');
  },
};

export const publicNamesOutside: Check = {
  code: 'dns-public',
  severity: 'failure',
  what: 'Public names are not resolved through the tunnel.',
  matters: 'While the tunnel is down, no name has an address; and the organisation sees every name that is looked up.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel }) {
    const { interface: name } = await tunnel();
    const links = await context.platform.inspector.resolver();
    const link = links?.find((one) => one.interface === name);
    if (link === undefined) return well('the tunnel has no name server');
    if (!link.takesOthers && !link.domains.includes('~.')) return well(`${name} takes ${link.domains.join(', ')} only`);
    return notWell(new KiwiError('split-dns-missing', { detail: `${name} takes all names` }), 'restart-tunnel');
  },
};

/** Another VPN, or a network of the same organisation. */
export const domainsApart: Check = {
  code: 'dns-domains',
  severity: 'warning',
  what: "No other network claims the organisation's domains.",
  matters: 'Which of them answers is a matter of chance.',
  dependsOn: ['tunnel-up'],
  async run({ context, tunnel }) {
    const { interface: name } = await tunnel();
    const links = (await context.platform.inspector.resolver()) ?? [];
    const bare = (domain: string): string => domain.replace(/^~/u, '').toLowerCase();
    const ours = links.find((one) => one.interface === name)?.domains.map(bare) ?? [];
    const other = links
      .filter((one) => one.interface !== name)
      .flatMap((one) => one.domains.map((domain) => ({ interface: one.interface, domain: bare(domain) })))
      .find(({ domain }) => ours.some((own) => domain === own || domain.endsWith(`.${own}`)));
    if (other === undefined) return well(ours.length === 0 ? 'there are none' : `${ours.join(', ')}: the tunnel alone`);
    const hint = 'If it is another VPN, close it. If it is a network of the organisation, this does no harm.';
    const detail = `${other.interface} has ${other.domain} too`;
    return notWell(new KiwiError('split-dns-missing', { detail, hint }));
  },
};
