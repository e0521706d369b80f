import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';

import { removeDurableFile, writeDurableFile } from '../../src/core/durable-file.ts';
import type { ClaimScreens } from '../../src/laptop/system/claim-screens.ts';
import { PATHS } from './paths.ts';
import { at, findProgram, runTool, type LinuxSystem } from './system.ts';

const MAX_LINE = 300;

/**
 * The text consoles by agetty(8), which shows what is in /etc/issue.d: there the package has a link to the file here. (It looks into
 * /run/issue.d only on a system without /etc/issue, which Debian and Ubuntu have.) The window by a file beside the agent's socket.
 */
export class LinuxClaimScreens implements ClaimScreens {
  readonly #system: LinuxSystem;

  constructor(system: LinuxSystem) {
    this.#system = system;
  }

  async prompt(lines: readonly string[]): Promise<void> {
    const text = lines.map((line) => `${asIssue(line)}\n`).join('');
    await this.#put(PATHS.claimIssue, text === '' ? undefined : `${text}\n`, 0o644);
    // Where no agetty is running there is nothing to draw.
    if ((await findProgram(this.#system, 'agetty')) === undefined) return;
    await runTool(this.#system, { name: 'agetty', args: ['--reload'], timeoutMs: 10_000 });
  }

  async window(stand: string | undefined): Promise<void> {
    await this.#put(PATHS.claimStand, stand, 0o644);
  }

  async #put(file: string, content: string | undefined, mode: number): Promise<void> {
    const target = at(this.#system, file);
    if (content === undefined) return removeDurableFile(target);
    const folder = path.dirname(target);
    // The agent's socket makes it too. Whichever comes first, everybody has to get into it, whatever the umask is.
    if ((await mkdir(folder, { recursive: true })) !== undefined) await chmod(folder, 0o755);
    await writeDurableFile(target, content, mode);
  }
}

/** A backslash begins what agetty fills in, and a control character would speak to the terminal. */
function asIssue(line: string): string {
  return line
    .replaceAll(/\p{C}+/gu, ' ')
    .slice(0, MAX_LINE)
    .replaceAll('\\', '\\\\');
}
