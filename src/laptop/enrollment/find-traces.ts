import { access } from 'node:fs/promises';

import { toKiwiError } from '../../core/errors.ts';
import type { FoundCertificate } from '../system/certificate-store.ts';
import type { Found } from '../system/found.ts';
import type { Platform } from '../system/platform.ts';
import { agent, downloadFolder } from './steps/agent.ts';
import { deviceKey } from './steps/device-key.ts';
import { signIn } from './steps/sign-in.ts';
import { trust } from './steps/trust.ts';
import { tunnel } from './steps/tunnel.ts';

/** What the system itself shows of an enrollment. */
export interface Traces {
  /** Names of the steps whose undo removes what is ours. */
  readonly steps: ReadonlySet<string>;
  readonly ours: readonly string[];
  /** What looks like ours and may be somebody else's, and what could not be looked at. It is only reported. */
  readonly unsure: readonly string[];
  /** From the certificate store: which enrollment it is. */
  readonly certificates: readonly FoundCertificate[];
}

/**
 * Looks for everything that an enrollment creates, without the record and the journal: both may be lost, and only what is
 * found here decides whether nothing is left. Changes nothing and never fails.
 */
export async function findTraces(platform: Platform): Promise<Traces> {
  const steps = new Set<string>();
  const ours: string[] = [];
  const unsure: string[] = [];
  const look = async <F extends Found>(step: { name: string; title: string }, part: Promise<readonly F[]>) => {
    try {
      const found = await part;
      for (const file of found) (file.ours ? ours : unsure).push(file.what);
      if (found.some((file) => file.ours)) steps.add(step.name);
      return found;
    } catch (error) {
      unsure.push(`what "${step.title}" created (${toKiwiError(error).detail ?? toKiwiError(error).message})`);
      return [];
    }
  };
  const certificates = await look(deviceKey, platform.certificates.found());
  await look(trust, platform.trust.found());
  await look(tunnel, platform.tunnel.found());
  await look(agent, platform.agent.found());
  await look(agent, findDownload(platform));
  await look(signIn, platform.signIn.found());
  return { steps, ours, unsure, certificates };
}

async function findDownload(platform: Platform): Promise<Found[]> {
  const what = downloadFolder(platform);
  return access(what).then(
    () => [{ what, ours: true }],
    () => [],
  );
}

/** For `details:`. A long list is cut. */
export function listed(what: readonly string[]): string {
  const shown = what.slice(0, 8).join(', ');
  return what.length > 8 ? `${shown} and ${what.length - 8} more` : shown;
}
