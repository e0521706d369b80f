import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import type { PasswordPrompt } from '../../src/laptop/system/authority.ts';
import { spawnProgram } from '../../src/programs/spawn-program.ts';

const PKTTYAGENT = '/usr/bin/pkttyagent';
/** It registers with polkit in milliseconds. Without it polkit refuses, and says so. */
const PATIENCE_MS = 5_000;

/**
 * polkit's own agent for a terminal, for the time in which this process asks for something: over SSH and on a console nobody else would
 * ask. On a desktop another one asks in a window, and takes precedence with `--fallback`; which is given there only, because polkit 122
 * (Debian 12, seen November 2026) finds no such agent for a process without a session of its own.
 */
export const terminalPrompt: PasswordPrompt = async () => {
  if (!existsSync(PKTTYAGENT)) return () => undefined;
  // The descriptor is closed when it is registered, and when it has ended because it could not be.
  const onDesktop = process.env['WAYLAND_DISPLAY'] !== undefined || process.env['DISPLAY'] !== undefined;
  const args = ['--process', String(process.pid), '--notify-fd', '3', ...(onDesktop ? ['--fallback'] : [])];
  const agent = await spawnProgram({ program: PKTTYAGENT, args, channels: 1, atTerminal: true });
  for (const stream of [agent.stdout, agent.stderr]) stream.resume();
  const [registered] = agent.channels;
  const late = new AbortController();
  await Promise.race([
    new Promise((resolve) => registered?.once('close', resolve).resume()),
    sleep(PATIENCE_MS, undefined, { signal: late.signal }).catch(() => undefined),
  ]);
  late.abort();
  return () => {
    agent.kill('SIGTERM');
  };
};
