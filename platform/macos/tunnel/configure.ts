import { KiwiError } from '../../../src/core/errors.ts';
import { addressValue, routeValue } from '../../../src/laptop/tunnel/profile-values.ts';
import { TUNNEL_MTU } from '../../../src/laptop/tunnel/render-wg-quick.ts';
import { withRuntimeFile } from '../../unix/runtime-file.ts';
import { readTool, runTool, runToolChecked, type MacSystem } from '../system.ts';
import { interfaceOf, readProfile } from './profile.ts';

/** On a Mac that has just started, wireguard-go begins seconds after it was asked for. */
const START_MS = 15_000;
const POLL_MS = 100;

export interface ProfileParts {
  readonly address: string;
  readonly mtu: number;
  readonly networks: readonly string[];
  /** What `wg` understands, with its secrets. */
  readonly wg: string;
}

/**
 * Gives the interface of this tunnel its keys, address and routes, as wg-quick(8) would, which is a shell script that needs a newer bash than macOS
 * has. May be repeated: what is right already stays, with its sessions.
 * @returns the interface
 * @throws KiwiError `tunnel-tools-failed`, also without a profile and without wireguard-go
 */
export async function configureTunnel(system: MacSystem, tunnel: string, signal?: AbortSignal): Promise<string> {
  const text = await readProfile(system, tunnel);
  if (text === undefined) throw new KiwiError('tunnel-tools-failed', { detail: `${tunnel} has no profile of ours` });
  const { address, mtu, networks, wg } = readParts(text);
  const name = await interfaceWithin(system, tunnel, START_MS, signal);
  const run = (program: string, args: readonly string[]): Promise<unknown> =>
    runToolChecked(system, { name: program, args, signal }, 'tunnel-tools-failed');
  await withRuntimeFile(system, `${tunnel}.syncconf`, wg, (file) => run('wg', ['syncconf', name, file]));
  if ((await addressOf(system, name)) !== address) {
    await run('ifconfig', [name, 'inet', `${address}/32`, address, 'alias']);
  }
  await run('ifconfig', [name, 'mtu', String(mtu)]);
  await run('ifconfig', [name, 'up']);
  for (const network of networks) await route(system, network, name, signal);
  return name;
}

/** The interface, once wireguard-go has made it. @throws KiwiError `tunnel-tools-failed` */
export async function interfaceWithin(
  system: MacSystem,
  tunnel: string,
  ms: number,
  signal?: AbortSignal,
): Promise<string> {
  const deadline = system.clock.monotonic() + ms;
  for (;;) {
    const name = await interfaceOf(system, tunnel);
    if (name !== undefined) return name;
    if (system.clock.monotonic() >= deadline) {
      throw new KiwiError('tunnel-tools-failed', { detail: `wireguard-go has made no interface for ${tunnel}` });
    }
    await system.clock.sleep(POLL_MS, signal);
  }
}

/** What `render-wg-quick.ts` wrote. A network of prefix length 0 is refused here too. */
export function readParts(text: string): ProfileParts {
  const value = (name: string): string => new RegExp(`^${name} = (.*)$`, 'mu').exec(text)?.[1] ?? '';
  const [address = '', prefix] = value('Address').split('/');
  if (prefix !== '32') throw new KiwiError('tunnel-tools-failed', { detail: 'the profile has no address' });
  return {
    address: addressValue(address),
    mtu: Number(value('MTU')) || TUNNEL_MTU,
    networks: value('AllowedIPs').split(', ').map(routeValue),
    wg: text.replace(/^(?:Address|MTU) = .*\n/gmu, ''),
  };
}

async function addressOf(system: MacSystem, name: string): Promise<string | undefined> {
  const said = (await readTool(system, { name: 'ifconfig', args: [name, 'inet'] })) ?? '';
  return /^\s+inet (\d+(?:\.\d+){3}) /mu.exec(said)?.[1];
}

/** A route that is there is turned to this interface: the one that it led through may be gone. */
async function route(system: MacSystem, network: string, name: string, signal?: AbortSignal): Promise<void> {
  const way = ['-inet', network, '-interface', name];
  const added = await runTool(system, { name: 'route', args: ['-q', '-n', 'add', ...way], signal });
  if (added.code === 0 && !added.stderr.includes('File exists') && !added.stdout.includes('File exists')) return;
  await runToolChecked(system, { name: 'route', args: ['-q', '-n', 'change', ...way], signal }, 'tunnel-tools-failed');
}
