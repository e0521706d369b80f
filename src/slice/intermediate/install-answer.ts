import { createPrivateKey, randomUUID } from 'node:crypto';

import type { Clock } from '../../core/clock.ts';
import { writeDurableFile } from '../../core/durable-file.ts';
import { parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { spkiDer } from '../../pki/keys.ts';
import { renewTemplates } from '../ca/renew-templates.ts';
import { readSliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { openRegistry } from '../open-registry.ts';
import { askPermit, auditOfPermit } from './ask-permit.ts';
import { certificateAt, checkServes, checkSubject, readAnswer, refuse } from './check-answer.ts';
import { issueGrantCertificate } from './issue-grant-certificate.ts';

/**
 * Takes the provider's answer: checks that the slice can work with this intermediate and that what the old one issued
 * stays valid under it, then puts it in the old one's place, which is kept as `intermediate.previous.crt`. Repeated
 * after an interruption, it completes what is missing.
 *
 * @param without why it is done although two operators are needed and have not permitted it
 * @throws KiwiError `intermediate-refused`, `second-operator-needed`, `usage`
 */
export async function installAnswer(dir: string, file: string, clock: Clock, without?: string): Promise<Certificate> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const root = parseCertificate((await readPart(paths.ca.root)).toString('utf8'));
  const key = createPrivateKey(await readPart(paths.ca.key, true));
  const grantKey = createPrivateKey(await readPart(paths.gateway.key, true));
  const intermediate = await readAnswer(file, root);

  const old = await certificateAt(paths.ca.certificate);
  if (!intermediate.spki.equals(spkiDer(key))) refuse("for another key than the slice's ca/intermediate.key");
  checkSubject(intermediate, old, config);
  const authority = { certificate: intermediate, key };
  const grant =
    (await certificateAt(paths.gateway.certificate)) ?? (await issueGrantCertificate(config, grantKey, authority));
  await checkServes(authority, { grant, root, config, now: new Date(clock.now()) });
  if (old !== undefined && !old.der.equals(intermediate.der)) {
    const permit = await askPermit(paths, { config, root, old, intermediate, without }, clock);
    const registry = openRegistry(paths);
    const entry = { requestId: randomUUID(), actor: 'operator', action: 'intermediate.install' };
    const which = `serial ${intermediate.serialHex} in place of ${old.serialHex}`;
    try {
      await registry.audit({ ...entry, ...auditOfPermit(permit, which) }, clock.now());
    } finally {
      registry.close();
    }
  }

  // The templates first: they suit the old intermediate as well, and the new one refuses what the old templates make.
  const ca = (await readPart(paths.ca.config, true)).toString('utf8');
  await writeDurableFile(paths.ca.config, renewTemplates(ca, config), 0o600);
  await writeDurableFile(paths.gateway.certificate, grant.pem, 0o644);
  if (old !== undefined && !old.der.equals(intermediate.der)) {
    await writeDurableFile(paths.ca.previous, old.pem, 0o644);
  }
  await writeDurableFile(paths.ca.certificate, intermediate.pem, 0o644);
  return intermediate;
}
