import { KiwiError } from '../../core/errors.ts';
import { importFleetConfig } from '../../slice/config/fleet-config.ts';
import { addressNumber, isInNetwork, networkOf } from '../../slice/config/tunnel-network.ts';
import { DEFAULT_INSIDE, type InitOptions } from '../../slice/init/init-slice.ts';

/** The command line of `init`. */
export interface InitFlags {
  readonly dir: string;
  readonly slug: string;
  readonly name: string;
  readonly gatewayUrl: string;
  readonly listen?: string;
  readonly publicAddress?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly rootCertificate?: string;
  readonly yubicoRoot?: string;
  readonly tpm?: InitOptions['tpm'];
  readonly tpmMakers?: string;
  readonly fleetConfig?: string;
  readonly roleDomains?: string[];
  readonly dnsServers?: string[];
  readonly insideAddress?: string;
  readonly insideNetwork?: string;
  readonly insideCidrs?: string[];
  readonly interface?: string;
  readonly wireguardPort?: string;
  readonly caPort?: string;
  readonly operatorPort?: string;
  readonly crlPort?: string;
  readonly operator?: string;
  readonly quota?: string;
  readonly rateLimit?: string;
  readonly confirmSeconds?: string;
  readonly sessionSeconds?: string;
  readonly json?: boolean;
}

/** @throws KiwiError `usage` naming the option */
export async function initOptions(flags: InitFlags): Promise<InitOptions> {
  if ((flags.tlsCert === undefined) !== (flags.tlsKey === undefined)) {
    throw new KiwiError('usage', { detail: '--tls-cert and --tls-key must be given together' });
  }
  refuseUnreachable(flags);
  const perSecond = numberOf('--rate-limit', flags.rateLimit);
  return dropUndefined({
    dir: flags.dir,
    slug: flags.slug,
    name: flags.name,
    gatewayUrl: flags.gatewayUrl,
    listen: listenOf(flags.listen),
    publicAddress: flags.publicAddress,
    tls:
      flags.tlsCert === undefined || flags.tlsKey === undefined
        ? undefined
        : { certificateFile: flags.tlsCert, keyFile: flags.tlsKey },
    rootCertificateFile: flags.rootCertificate,
    yubicoRootFile: flags.yubicoRoot,
    tpm: flags.tpm,
    tpmMakersFile: flags.tpmMakers,
    fleet: flags.fleetConfig === undefined ? undefined : await importFleetConfig(flags.fleetConfig, '--fleet-config'),
    domains: flags.roleDomains,
    dnsServers: flags.dnsServers,
    insideAddress: flags.insideAddress,
    insideNetwork: flags.insideNetwork,
    insideCidrs: flags.insideCidrs,
    interface: flags.interface,
    wireguardPort: numberOf('--wireguard-port', flags.wireguardPort),
    caPort: numberOf('--ca-port', flags.caPort),
    operatorPort: numberOf('--operator-port', flags.operatorPort),
    crlPort: numberOf('--crl-port', flags.crlPort),
    operator: flags.operator,
    quota: numberOf('--quota', flags.quota),
    rateLimit: perSecond === undefined ? undefined : { burst: Math.ceil(perSecond * 6), perSecond },
    confirmSeconds: numberOf('--confirm-seconds', flags.confirmSeconds),
    sessionSeconds: numberOf('--session-seconds', flags.sessionSeconds),
  });
}

const NETWORK = /^(?:\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/;

/**
 * Laptops could not reach a slice whose own address is outside its networks, and no enrollment would ever end. What is no
 * address or network at all is refused with the other options.
 */
function refuseUnreachable(flags: InitFlags): void {
  const { insideAddress: address = DEFAULT_INSIDE.address, insideNetwork: network = DEFAULT_INSIDE.network } = flags;
  const cidrs = flags.insideCidrs ?? [network];
  if (![`${address}/32`, network, ...cidrs].every((cidr) => NETWORK.test(cidr))) return;
  const { first, last } = networkOf({ address, network });
  const at = addressNumber(address);
  if (at < first || at > last) {
    throw new KiwiError('usage', {
      detail: `--inside-address ${address} is no host address of ${network}, the --inside-network`,
    });
  }
  if (!cidrs.some((cidr) => isInNetwork(address, cidr))) {
    throw new KiwiError('usage', { detail: `--inside-cidrs must hold ${address}, the --inside-address` });
  }
}

function listenOf(text: string | undefined): InitOptions['listen'] | undefined {
  if (text === undefined) return undefined;
  const parts = /^(.+):(\d+)$/.exec(text);
  const [, host, port] = parts ?? [];
  if (host === undefined || port === undefined) throw new KiwiError('usage', { detail: '--listen: must be host:port' });
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
}

function numberOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new KiwiError('usage', { detail: `${option}: must be a number` });
  return Number(text);
}

type Dropped<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Leaves out options that were not given, so that defaults apply. */
function dropUndefined<T extends object>(value: T): Dropped<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Dropped<T>;
}
