import { KiwiError } from '../../core/errors.ts';

/**
 * polkit's question, "enroll this laptop", covers every argument, and whoever asks it on somebody's behalf chooses them: none
 * may change whom this program trusts. pkexec sets PKEXEC_UID, which nobody who runs it can remove.
 *
 * @throws KiwiError `usage`
 */
export function refuseUnderPkexec(flags: { readonly mspRoots?: string }, environment: NodeJS.ProcessEnv): void {
  if (environment['PKEXEC_UID'] === undefined || flags.mspRoots === undefined) return;
  const hint = 'Run the command with sudo, or install the package that brings the root.';
  throw new KiwiError('usage', { detail: '--msp-roots is not accepted under pkexec', hint });
}
