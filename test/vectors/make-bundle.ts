import { base64url, digest } from '../../src/core/bytes.ts';
import { publicJwk } from '../../src/pki/keys.ts';
import { PROTOCOL, TYP } from '../../src/protocol/common.ts';
import { bundleMessage, openBundle, writeBundle, type BundleManifest } from '../../src/protocol/support-bundle.ts';
import {
  changed,
  kidOf,
  makeRefused,
  sign,
  withAlteredSignature,
  withMemberTwice,
  withoutAlgorithm,
  withSegment,
  withUnknownMember,
  withUpperS,
  type Recipe,
} from './bend.ts';
import { textAt } from './keep.ts';
import { afterRenewal, DEVICE_ID, OTHER_ID, RENEWED_AT } from './make-certificates.ts';
import { compactParts, fixed, type Previous } from './make-exchange.ts';
import { testKey } from './test-keys.ts';

/** What the laptop of the example says of itself: not all that ours says, and in the same form. */
const FILES = {
  'doctor.json': '{\n "checks": [\n  {\n   "code": "tunnel-inside",\n   "state": "not-well"\n  }\n ]\n}\n',
  'log.txt': 'checked result=active\n',
};

/** A support bundle of the example's device, at the time of its renewal. */
export async function makeBundle(previous: Previous) {
  const device = testKey('device');
  const content: BundleManifest = {
    form: 'kiwistack-support/1',
    bundleId: base64url(fixed('bundle id').subarray(0, 16)),
    createdAt: RENEWED_AT.toISOString(),
    program: '0.1.0',
    deviceId: DEVICE_ID,
    files: Object.entries(FILES).map(([name, text]) => ({
      ...{ name, size: Buffer.byteLength(text), sha256: digest(text), why: 'what works and what does not' },
    })),
    leftOut: 3,
  };
  const manifest = JSON.stringify(content, undefined, 1);
  const said = { protocol: PROTOCOL, deviceId: DEVICE_ID, manifestHash: digest(manifest), timestamp: afterRenewal(0) };
  const payload = JSON.stringify(bundleMessage.parse(said));
  const jws = await sign(
    { typ: TYP.bundle, payload, key: device, kid: kidOf(device) },
    textAt(previous('bundle'), 'jws'),
  );
  const body = writeBundle({ manifest, signature: jws, files: FILES });
  openBundle(Buffer.from(body), 'internal');
  return { body, manifest, ...compactParts(jws, payload, 'device') };
}

/** What the gateway refuses when a laptop sends a bundle. */
export function makeRefusedBundles(bundle: object, previous: unknown): Promise<object> {
  const [body, manifest, payload] = [textAt(bundle, 'body'), textAt(bundle, 'manifest'), textAt(bundle, 'payload')];
  const jws = textAt(bundle, 'jws');
  const [device, other] = [testKey('device'), testKey('gateway')];
  const honest = { typ: TYP.bundle, key: device, kid: kidOf(device), payload };
  const bent = (members: object): string => changed(body, members);
  const signedAs =
    (members: Partial<Parameters<typeof sign>[0]>) =>
    async (kept: string): Promise<string> =>
      bent({ signature: await sign({ ...honest, ...members }, textAt(jsonOf(kept), 'signature')) });
  const saying = (members: object) => signedAs({ payload: changed(payload, members) });
  /** A manifest that is another, and signed. */
  const listing =
    (members: object) =>
    async (kept: string): Promise<string> => {
      const listed = changed(manifest, members);
      const signed = await saying({ manifestHash: digest(listed) })(kept);
      return changed(signed, { manifest: listed });
    };
  const { files } = JSON.parse(manifest) as BundleManifest;
  const recipes: Recipe[] = [
    ['unknown member', 'request-malformed', () => withUnknownMember(body)],
    ['no signature', 'device-signature-refused', () => bent({ signature: null })],
    ['file altered', 'request-malformed', () => bent({ files: { ...FILES, 'log.txt': 'checked result=ended\n' } })],
    ['file missing', 'request-malformed', () => bent({ files: { 'log.txt': FILES['log.txt'] } })],
    ['file that is not listed', 'request-malformed', () => bent({ files: { ...FILES, 'more.txt': '' } })],
    ['name with a folder', 'request-malformed', () => bent({ files: { ...FILES, '../log.txt': '' } })],
    ['manifest altered', 'device-signature-refused', () => bent({ manifest: changed(manifest, { leftOut: 4 }) })],
    ['manifest of another form', 'request-malformed', listing({ form: 'kiwistack-support/2' })],
    ['manifest with a file twice', 'request-malformed', listing({ files: [...files, files[0]] })],
    ['manifest of another device', 'request-malformed', listing({ deviceId: OTHER_ID })],
    ['manifest of no device', 'request-malformed', listing({ deviceId: null })],
    ['typ of a status request', 'request-malformed', signedAs({ typ: TYP.status })],
    ['alg none, without signature', 'request-malformed', () => bent({ signature: withoutAlgorithm(jws) })],
    [
      'signature altered',
      'device-signature-refused',
      () => bent({ signature: withSegment(jws, 2, withAlteredSignature) }),
    ],
    [
      'signature with s in the upper half',
      'device-signature-refused',
      () => bent({ signature: withSegment(jws, 2, withUpperS) }),
    ],
    ['by another key', 'device-signature-refused', signedAs({ key: other, kid: kidOf(other) })],
    ['with its key in the header', 'device-signature-refused', signedAs({ jwk: publicJwk(device) })],
    ['message with a member twice', 'request-malformed', signedAs({ payload: withMemberTwice(payload) })],
    ['for another manifest', 'device-signature-refused', saying({ manifestHash: digest('another manifest') })],
    ['for another device', 'request-malformed', saying({ deviceId: OTHER_ID })],
    ['eleven minutes old', 'clock-skew', saying({ timestamp: afterRenewal(-11) })],
  ];
  return makeRefused(
    'Each is `body` of bundle.json bent in one way. The gateway of the example refuses it with `code`.',
    recipes,
    previous,
  );
}

const jsonOf = (text: string): unknown => (text === '' ? undefined : JSON.parse(text));
