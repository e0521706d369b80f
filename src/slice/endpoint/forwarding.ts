import { readFile, writeFile } from 'node:fs/promises';

import { runChecked, runProgram } from '../../programs/run-program.ts';
import { FORWARDING_TABLE, guardTable, renderForwarding, renderGuard, type Guarded } from './render-guard.ts';

const SWITCH = '/proc/sys/net/ipv4/ip_forward';

/**
 * Has the machine pass packets on between a slice's tunnel and the networks inside, and lets nothing else reach those. Where the machine
 * forwarded nothing before, it forwards for the tunnels of its slices alone.
 *
 * @param nft path of the program
 * @throws KiwiError as `runChecked`
 */
export async function startForwarding(nft: string, guarded: Guarded): Promise<void> {
  // The text is no secret, so it may be an argument: Node gives children sockets as stdin, which nft cannot open as /dev/stdin.
  const apply = (text: string): Promise<unknown> => runChecked({ program: nft, args: [text] });
  await apply(renderGuard(guarded));
  const wasOff = (await readFile(SWITCH, 'utf8')).trim() === '0';
  if (wasOff || (await tunnels(nft)) !== undefined) await apply(renderForwarding(guarded.interface));
  if (wasOff) await writeFile(SWITCH, '1\n');
}

/**
 * Takes away what `startForwarding` made for a tunnel. Forwarding goes off with the last slice that needed it. Safe to repeat, and when
 * there is nothing.
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

/** The tunnels that forwarding is on for, as nft lists them; undefined when the machine forwards of its own accord, or not at all. */
async function tunnels(nft: string): Promise<string | undefined> {
  const { code, stdout } = await runProgram({
    program: nft,
    args: ['list', 'set', ...FORWARDING_TABLE.split(' '), 'tunnels'],
  });
  if (code !== 0) return undefined;
  return /elements = \{([^}]*)\}/u.exec(stdout.toString('utf8'))?.[1]?.trim() ?? '';
}
