import { KiwiError, toKiwiError } from '../../core/errors.ts';
import type { DeviceStatus } from '../../protocol/device-messages.ts';
import { slicePartsIn } from '../../protocol/slice-parts.ts';
import type { Seen, SeenFile } from '../state/seen.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import type { RenewedCertificate } from './renew-certificate.ts';

/**
 * Keeps what a check saw of the slice, for a status that cannot ask. That it cannot be kept, on a full disk, stops nothing.
 * @returns what was kept
 */
export async function noteSeen(
  { clock, log }: LaptopContext,
  file: SeenFile,
  saw: {
    readonly slice?: DeviceStatus | KiwiError;
    readonly renewal: RenewedCertificate | KiwiError | undefined;
    /** Of a check that followed what the slice says of it: why that failed. */
    readonly signIn?: KiwiError | undefined;
  },
): Promise<Seen> {
  const at = new Date(clock.now()).toISOString();
  const { renewal: before, signIn: signInBefore, ...last } = await file.load();
  const signIn = 'signIn' in saw ? saw.signIn && { at, code: saw.signIn.code } : signInBefore;
  const { slice, renewal } = saw;
  const answer = slice instanceof KiwiError ? undefined : slice;
  const parts = answer && slicePartsIn(answer);
  const failure = renewal === undefined ? before : failureOf(renewal, at);
  const now: Seen = {
    ...last,
    ...(answer === undefined ? {} : { answeredAt: at }),
    ...(parts === undefined ? {} : { parts }),
    ...(failure === undefined ? {} : { renewal: failure }),
    ...(signIn === undefined ? {} : { signIn }),
  };
  try {
    await file.save(now);
  } catch (error) {
    log?.write('warning', 'not-kept', { what: 'seen', code: toKiwiError(error).code });
  }
  return now;
}

function failureOf(renewal: RenewedCertificate | KiwiError, at: string): Seen['renewal'] {
  if (!(renewal instanceof KiwiError)) return undefined;
  const { code, requestId } = renewal;
  return { at, code, ...(requestId === undefined ? {} : { requestId }) };
}
