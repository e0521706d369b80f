import { createPrivateKey, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import path from 'node:path';

import { z } from 'zod';

import type { Clock } from '../../core/clock.ts';
import { removeDurableFile, renameDurableFile, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { generateP256, jwkThumbprint, publicJwk, spkiDer } from '../../pki/keys.ts';
import { revocationListPem } from '../../pki/revocation-list.ts';
import { MAX_GIVEN } from '../../provider/request-file.ts';
import { renewTemplates } from '../ca/renew-templates.ts';
import { parseConfigFile, readSliceConfig, sliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { readPart, readReplacedAt, readRootList, READY, renderReplaced } from '../config/slice-identity.ts';
import { slicePaths, type SlicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import { askPermit, auditOfPermit, type Permit } from './ask-permit.ts';
import { certificateAt, checkServes, checkSubject, readAnswer, refuse } from './check-answer.ts';
import { issueGrantCertificate } from './issue-grant-certificate.ts';

export interface Replacement {
  /** What the provider has signed for the request with a new key. */
  readonly answer: string;
  /** The provider's revocation list, with the old intermediate on it; absent when its key was not stolen. */
  readonly list?: string | undefined;
  /** Why it is done although two operators are needed and have not permitted it. */
  readonly without?: string | undefined;
  /** How enrolled laptops follow; absent: as slice.json says. */
  readonly rekey?: Partial<SliceConfig['rekey']>;
}

/** What now is in the slice's folder, and what was taken back. */
export interface Replaced {
  readonly intermediate: Certificate;
  readonly old: Certificate | undefined;
  readonly revoked: boolean;
  readonly rekey: SliceConfig['rekey'];
  readonly permit: Permit;
}

/** What READY says: who answers for what is about to be moved. */
const ready = z.strictObject({ decision: z.enum(['allowed', 'alarm']), why: z.string() });

/**
 * Puts an intermediate with a new key in the old one's place, and everything that was beside that key on this machine with
 * it: the key that signs grants, and those of step-ca's provisioners. No certificate of the old one counts afterwards.
 *
 * It is written beside the old one first, and moved file by file once all of it is on the disk; repeated after an
 * interruption, this completes what was begun, and until then the slice does not start.
 *
 * @throws KiwiError `intermediate-refused`, `second-operator-needed`, `usage`, `file-unusable`
 */
export async function replaceIntermediate(dir: string, how: Replacement, clock: Clock): Promise<Replaced> {
  const paths = slicePaths(dir);
  if (!existsSync(at(paths, READY))) await prepare(dir, paths, how, clock);
  const old = await certificateAt(paths.ca.previous);
  const intermediate =
    (await certificateAt(at(paths, 'intermediate.crt'))) ?? parse(await readPart(paths.ca.certificate));
  const permit = parseConfigFile(ready, await readPart(at(paths, READY), true), at(paths, READY));
  await move(paths, { intermediate, old, permit }, clock);
  // Certificates begin on whole seconds: one that is issued from now on begins no earlier than the replacement.
  const replacedAt = (await readReplacedAt(paths)) ?? 0;
  await clock.sleep(Math.min(1000, Math.max(0, replacedAt - clock.now())));
  const config = await readSliceConfig(dir);
  const list = existsSync(paths.ca.rootList)
    ? readRootList(
        (await readPart(paths.ca.rootList)).toString('utf8'),
        parse(await readPart(paths.ca.root)),
        'root.crl',
      )
    : undefined;
  const revoked = old !== undefined && list?.revokes(old) === true;
  return { intermediate, old, revoked, rekey: config.rekey, permit };
}

/** The name of each new file in the folder, and where it goes. */
const PLACES = {
  'intermediate.key': ({ ca }: SlicePaths) => ca.key,
  'grant.key': ({ gateway }: SlicePaths) => gateway.key,
  'grant.crt': ({ gateway }: SlicePaths) => gateway.certificate,
  'gateway-provisioner.key': ({ gateway }: SlicePaths) => gateway.provisionerKey,
  'yubikey-provisioner.key': ({ operator }: SlicePaths) => operator.provisionerKey,
  'ca.json': ({ ca }: SlicePaths) => ca.config,
  'root.crl': ({ ca }: SlicePaths) => ca.rootList,
  'replaced.json': ({ ca }: SlicePaths) => ca.replaced,
  'slice.json': ({ config }: SlicePaths) => config,
  'intermediate.crt': ({ ca }: SlicePaths) => ca.certificate,
} as const;

const at = ({ ca }: SlicePaths, name: string): string => path.join(ca.next, name);
const parse = (pem: Buffer): Certificate => parseCertificate(pem.toString('utf8'));

async function prepare(dir: string, paths: SlicePaths, how: Replacement, clock: Clock): Promise<void> {
  const config = await readSliceConfig(dir);
  const root = parse(await readPart(paths.ca.root));
  const old = await certificateAt(paths.ca.certificate);
  if (!existsSync(at(paths, 'intermediate.key'))) {
    throw new KiwiError('usage', {
      detail: 'there is no new key: run `kiwistack-slice intermediate request --new-key`',
    });
  }
  const key = createPrivateKey(await readPart(at(paths, 'intermediate.key'), true));
  const intermediate = await readAnswer(how.answer, root);
  if (!intermediate.spki.equals(spkiDer(key))) refuse('for another key than that of `intermediate request --new-key`');
  checkSubject(intermediate, old, config);
  // Of two with the same subject, a laptop takes the one that begins later, and never goes back.
  if (old !== undefined && intermediate.notBefore <= old.notBefore) refuse('not newer than the one that it replaces');
  const list = how.list === undefined ? undefined : await givenList(how.list, root);
  if (list?.revokes(intermediate) === true) refuse('the list has taken it back');
  if (list !== undefined && old !== undefined && !list.revokes(old)) refuse('the list does not take back the old one');

  const [grantKey, gateway, yubikey] = [generateP256(), generateP256(), generateP256()];
  const keys = { gateway: publicJwk(gateway), yubikey: publicJwk(yubikey) };
  const ca = { ...config.ca, gatewayKid: jwkThumbprint(keys.gateway), yubikeyKid: jwkThumbprint(keys.yubikey) };
  const next = sliceConfig.parse({ ...config, ca, rekey: { ...config.rekey, ...how.rekey } });
  const authority = { certificate: intermediate, key };
  const grant = await issueGrantCertificate(next, grantKey, authority);
  await checkServes(authority, { grant, root, config: next, now: new Date(clock.now()) });
  const { without } = how;
  const permit: Permit =
    old === undefined
      ? { decision: 'allowed', why: 'the first one' }
      : await askPermit(paths, { config, root, old, intermediate, without }, clock);

  const pem = (each: typeof key): string => each.export({ type: 'pkcs8', format: 'pem' }).toString();
  await writeDurableFile(at(paths, 'grant.key'), pem(grantKey), 0o600);
  await writeDurableFile(at(paths, 'grant.crt'), grant.pem, 0o644);
  await writeDurableFile(at(paths, 'gateway-provisioner.key'), pem(gateway), 0o600);
  await writeDurableFile(at(paths, 'yubikey-provisioner.key'), pem(yubikey), 0o600);
  const json = (await readPart(paths.ca.config, true)).toString('utf8');
  await writeDurableFile(at(paths, 'ca.json'), renewTemplates(json, next, keys), 0o600);
  if (list !== undefined) await writeDurableFile(at(paths, 'root.crl'), revocationListPem(list), 0o644);
  await writeDurableFile(at(paths, 'replaced.json'), renderReplaced(Math.ceil(clock.now() / 1000) * 1000), 0o600);
  await writeDurableFile(at(paths, 'slice.json'), `${JSON.stringify(next, null, 2)}\n`, 0o600);
  await writeDurableFile(at(paths, 'intermediate.crt'), intermediate.pem, 0o644);
  if (old !== undefined) await writeDurableFile(paths.ca.previous, old.pem, 0o644);
  await writeDurableFile(at(paths, READY), JSON.stringify(permit), 0o600);
}

async function move(
  paths: SlicePaths,
  { intermediate, old, permit }: { intermediate: Certificate; old: Certificate | undefined; permit: Permit },
  clock: Clock,
): Promise<void> {
  // First: what the registry no longer trusts is not trusted either while the move is interrupted.
  const registry = openRegistry(paths);
  const which = `serial ${intermediate.serialHex}${old === undefined ? '' : ` in place of ${old.serialHex}`}`;
  try {
    await registry.replaceIntermediate(clock.now(), {
      ...{ requestId: randomUUID(), actor: 'operator', action: 'intermediate.replace' },
      ...auditOfPermit(permit, which),
    });
  } finally {
    registry.close();
  }
  for (const [name, place] of Object.entries(PLACES)) {
    if (existsSync(at(paths, name))) await renameDurableFile(at(paths, name), place(paths));
  }
  await removeDurableFile(at(paths, READY));
  await rmdir(paths.ca.next);
}

async function givenList(file: string, root: Certificate): Promise<ReturnType<typeof readRootList>> {
  const pem = (await readGivenFile(file, { option: '--revoked', maxBytes: MAX_GIVEN })).toString('utf8');
  return readRootList(pem, root, file, 'file-unusable');
}
