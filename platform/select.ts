import type { Duplex } from 'node:stream';

import type { Authority, Caller, PasswordPrompt } from '../src/laptop/system/authority.ts';
import type { Platform } from '../src/laptop/system/platform.ts';
import { linuxPlatform } from './linux/index.ts';
import { polkit } from './linux/polkit.ts';
import { terminalPrompt } from './linux/terminal-prompt.ts';
import { byConsole } from './macos/authority.ts';
import { macPlatform } from './macos/index.ts';
import { macSystem } from './macos/system.ts';
import { unsupportedPlatform } from './unsupported/index.ts';
import { rootOnly } from './unsupported/root-only.ts';
import { byToken } from './windows/authority.ts';
import { readCaller } from './windows/caller.ts';
import { dialAgent, hasAgent } from './windows/dial-agent.ts';
import { windowsPlatform } from './windows/index.ts';
import { isElevated } from './windows/is-elevated.ts';
import { windowsSystem } from './windows/system.ts';

/** The implementations for the operating system that we run on. */
export function selectPlatform(name: NodeJS.Platform = process.platform): Platform {
  if (name === 'linux') return linuxPlatform();
  if (name === 'darwin') return macPlatform();
  return name === 'win32' ? windowsPlatform() : unsupportedPlatform(name);
}

/** Who decides what a caller of the agent may do. Where nobody does, it is root alone. */
export function selectAuthority(name: NodeJS.Platform = process.platform): Authority {
  if (name === 'linux') return polkit();
  if (name === 'darwin') return byConsole(macSystem);
  return name === 'win32' ? byToken() : rootOnly();
}

/** True for root; on Windows for the system and for an elevated administrator. */
export function runsAsRoot(name: NodeJS.Platform = process.platform): boolean {
  return name === 'win32' ? isElevated(windowsSystem()) : process.geteuid?.() === 0;
}

/**
 * How to reach the agent on a system where its place is not a socket of the file system; undefined where it is, `'no agent'` when it is not
 * there.
 */
export async function agentConnection(
  name: NodeJS.Platform = process.platform,
): Promise<(() => Promise<Duplex>) | 'no agent' | undefined> {
  if (name !== 'win32') return undefined;
  const system = windowsSystem();
  return (await hasAgent(system)) ? () => dialAgent(system) : 'no agent';
}

/** Who is at the other end of the connection that this process was started for, where the system's service has found it out. */
export function toldCaller(
  environment: NodeJS.ProcessEnv,
  name: NodeJS.Platform = process.platform,
): Caller | undefined {
  return name === 'win32' ? readCaller(environment['KIWISTACK_CALLER']) : undefined;
}

/** How a person at a terminal is asked for the password that the authority wants. */
export function selectPasswordPrompt(name: NodeJS.Platform = process.platform): PasswordPrompt {
  return name === 'linux' ? terminalPrompt : () => Promise.resolve(() => undefined);
}
