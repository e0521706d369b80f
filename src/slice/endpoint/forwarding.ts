import { readFile, writeFile } from 'node:fs/promises';

import { runChecked, runProgram } from '../../programs/run-program.ts';
import { FORWARDING_TABLE, guardTable, renderForwarding, renderGuard, type Guarded } from './render-guard.ts';

const SWITCH = '/proc/sys/net/ipv4/ip_forward';

/**
 * Makes the machine forward packets between a slice's tunnel and the inside networks, and lets nothing else reach
 * those. If the machine did not forward before, it forwards only for the tunnels of its slices.
 *
 * @param nft path of the program
 * @throws KiwiError as `runChecked`
 */
export async function startForwarding(nft: string, guarded: Guarded): Promise<void> {
  // The ruleset is no secret, so it may be an argument: Node gives children sockets as stdin, which nft cannot open as
  // /dev/stdin.
  const apply = (text: string): Promise<unknown> => runChecked({ program: nft, args: [text] });
  await apply(renderGuard(guarded));
  const wasOff = (await readFile(SWITCH, 'utf8')).trim() === '0';
  if (wasOff || (await tunnels(nft)) !== undefined) await apply(renderForwarding(guarded.interface));
  if (wasOff) await writeFile(SWITCH, '1\n');
}

/**
 * Removes what `startForwarding` set up for a tunnel. Forwarding is switched off with the last slice that needed it.
 * Safe to repeat, and when there is nothing to remove.
 */
export async function stopForwarding(nft: string, tunnel: string): Promise<void> {
  const run = (...args: string[]): Promise<unknown> => runProgram({ program: nft, args });
  await run('delete', 'element', ...FORWARDING_TABLE.split(' '), 'tunnels', `{ "${tunnel}" }`);
  if ((await tunnels(nft)) === '') {
    await writeFile(SWITCH, '0\n');
    await run('delete', 'table', ...FORWARDING_TABLE.split(' '));
  }
  await run('delete', 'table', ...guardTable(tunnel).split(' '));
}

/**
 * The tunnels for which we enabled forwarding, as nft lists them; undefined when the machine forwards anyway, or not at
 * all.
 */
async function tunnels(nft: string): Promise<string | undefined> {
  const { code, stdout } = await runProgram({
    program: nft,
    args: ['list', 'set', ...FORWARDING_TABLE.split(' '), 'tunnels'],
  });
  if (code !== 0) return undefined;
  return /elements = \{([^}]*)\}/u.exec(stdout.toString('utf8'))?.[1]?.trim() ?? '';
}
