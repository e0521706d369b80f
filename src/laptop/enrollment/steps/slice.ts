import { tpmWishIn, type TpmWish } from '../../../protocol/tpm-key.ts';
import type { EnrollmentRun, EnrollmentStep } from '../enrollment-run.ts';
import { moveKeyIntoTpm } from '../move-key-into-tpm.ts';
import { sayHello } from '../say-hello.ts';

/**
 * Hello and challenge: before any PIN, the slice proves its identity and the person sees which customer it belongs to. A
 * crash leaves an unused session at the slice, which expires after five minutes.
 */
export const slice: EnrollmentStep = {
  name: 'slice',
  title: "Verify the customer's slice",
  inspect: ({ record }) => Promise.resolve(record.exchange?.statement === undefined ? 'absent' : 'done'),

  async apply(run) {
    await run.meet(await sayHello(run, (await run.deviceKey()).publicKey));
    const wish = wishOf(run);
    const inFile = wish === undefined ? undefined : await moveKeyIntoTpm(run, wish);
    const { challenge, code, skewMs } = run.opened();
    run.options.person.sliceProven({
      ...{ customer: challenge.customer.name, gatewayUrl: run.record.gatewayUrl, code, skewMs },
      ...(inFile === undefined ? {} : { keyInFile: inFile.code }),
    });
  },

  verify(run) {
    run.opened();
    return Promise.resolve();
  },
};

/** Whether the device key has to be in the TPM, or should be: the slice says it, or the token. */
function wishOf(run: EnrollmentRun): TpmWish | undefined {
  if (run.bootstrap !== undefined) return run.bootstrap.tpm === true ? { want: 'require' } : undefined;
  const wish = tpmWishIn(run.opened().challenge);
  // What a later version may mean by it is not ours to guess: the slice says what it refuses.
  return wish === 'malformed' ? undefined : wish;
}
