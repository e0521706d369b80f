import { base64url } from '../../../src/core/bytes.ts';
import { remoteSlice, type RemoteSlice } from '../../../src/operator-client/remote-slice.ts';
import { signIn } from '../../../src/operator-client/sign-in.ts';
import type { SignedIn } from '../../../src/operator-client/signed-in.ts';
import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { makeCsr } from '../../../src/pki/csr.ts';
import type { OperatorRole } from '../../../src/protocol/operator-records.ts';
import { makeSoftwareYubikey, type AttestedClaims, type SoftwareYubikey } from '../../fakes/slice/software-yubikey.ts';
import type { TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator } from '../slice/enrolling.ts';

/** An operator with a key of their own, as far as a slice can see it. */
export interface TestOperator {
  readonly name: string;
  readonly yubikey: SoftwareYubikey;
  readonly certificate: Certificate;
}

let serial = 30_000_000;

export async function addOperator(
  slice: TestSlice,
  name: string,
  role: OperatorRole,
  claims: Partial<AttestedClaims> = {},
): Promise<TestOperator> {
  const yubikey = await makeSoftwareYubikey(slice.maker, { serial: ++serial, ...claims });
  const added = await asOperator(slice, async (operator) =>
    operator.ask('operator.add', { name, role, ...(await requestOf(yubikey)) }),
  );
  return { name, yubikey, certificate: parseCertificate(Buffer.from(added.certificate, 'base64url')) };
}

export const requestOf = async (yubikey: SoftwareYubikey) => ({
  ...{ serial: yubikey.serial, slot: yubikey.slot },
  csr: base64url(await makeCsr(yubikey.key, 'KiwiStack operator')),
  attestation: base64url(yubikey.attestation.der),
  attestationIssuer: base64url(yubikey.attestationIssuer.der),
});

export const gatewayOf = (slice: TestSlice): string =>
  `https://127.0.0.1:${slice.running.context.config.operatorApi.port}`;

export const signInAs = (
  slice: TestSlice,
  { yubikey, certificate }: Pick<TestOperator, 'yubikey' | 'certificate'>,
  hours = 8,
): Promise<SignedIn> =>
  signIn({
    ...{ gateway: gatewayOf(slice), roots: slice.running.context.identity.mspRoot.pem, hours },
    key: { certificate, signer: yubikey.signer },
  });

/** Sign-ins are few: the slice limits how many come from one address. */
const sessions = new WeakMap<Certificate, SignedIn>();

/** Does something over the network, signed in; of several times with one session. */
export async function remotely<T>(
  slice: TestSlice,
  operator: TestOperator,
  work: (remote: RemoteSlice, session: SignedIn) => Promise<T>,
): Promise<T> {
  const session = sessions.get(operator.certificate) ?? (await signInAs(slice, operator));
  sessions.set(operator.certificate, session);
  const remote = remoteSlice(session, slice.clock);
  try {
    return await work(remote, session);
  } finally {
    await remote.close();
  }
}
