import { KiwiError } from '../../core/errors.ts';
import { openSliceLine } from '../standing/slice-line.ts';
import { RecordFile, type EnrollmentRecord } from '../state/record.ts';
import type { LaptopContext } from '../system/laptop-context.ts';
import { collectBundle, type Bundle } from './collect-bundle.ts';

/** A bundle that is about to be sent, and to whom. */
export interface Parcel {
  /** The file. */
  readonly bundle: string;
  readonly customer: string;
  readonly gatewayUrl: string;
}

/**
 * Makes a support bundle, and sends it to the slice where that is wanted: it goes by HTTPS to the gateway, which is outside of the tunnel
 * and is reached whether the tunnel works or not.
 *
 * @param agree shows it to the person, and throws if it is not to be sent; absent: it is not sent
 * @returns the text of the file
 * @throws KiwiError `not-root`; of the sending `not-enrolled`, the reason of `agree`, and those of the gateway
 */
export async function supportBundle(
  context: LaptopContext,
  agree?: (parcel: Parcel) => Promise<unknown>,
): Promise<string> {
  if (agree === undefined) return (await collectBundle(context)).text;
  const record = await new RecordFile(context.platform.stateFolder).load();
  if (record?.device === undefined) throw new KiwiError('not-enrolled');
  const bundle = await collectBundle(context);
  await agree({ bundle: bundle.text, customer: record.customer, gatewayUrl: record.gatewayUrl });
  await send(context, record, bundle);
  return bundle.text;
}

async function send(context: LaptopContext, record: EnrollmentRecord, { said, files }: Bundle): Promise<void> {
  const line = await openSliceLine(context, record);
  try {
    await line.client.sendBundle(line.device, { manifest: said, files }, context.signal);
  } finally {
    await line.close();
  }
}
