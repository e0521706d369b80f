/**
 * Writes the test vectors of docs/protocol.md beside this file. Random parts (signatures, JWEs, serial numbers) that are in the
 * files already are kept while they fit, so a second run changes nothing.
 *
 *     npm run vectors              write them
 *     npm run vectors -- --check   write nothing; exit 1 when a file is not what this script would write
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import { isMissing } from '../../src/core/durable-file.ts';
import { makeBundle, makeRefusedBundles } from './make-bundle.ts';
import { makeCertificates } from './make-certificates.ts';
import { makeClaim } from './make-claim.ts';
import { makeExchange } from './make-exchange.ts';
import { makeFingerprint } from './make-fingerprint.ts';
import { makeHashToCurve, makeThumbprint, makeWireguardKeys } from './make-wireguard-key.ts';
import { makeOperator } from './make-operator.ts';
import { makeTpmKey } from './make-tpm-key.ts';
import { makeRecoveryKey, makeRefusedReceipts, makeRefusedRecoveryKeys } from './make-recovery-key.ts';
import { makeRefusedRenewalAnswers, makeRefusedRenewals, makeRenewal } from './make-renewal.ts';
import { makeRefusedConfirms, makeRefusedStatements } from './refused-by-gateway.ts';
import {
  makeRefusedOperatorChallenges,
  makeRefusedOperatorRequests,
  makeRefusedOperatorSignIns,
  makeRefusedOperatorStatements,
} from './refused-operators.ts';
import { makeRefusedHellos } from './refused-hellos.ts';
import { makeRefusedChallenges, makeRefusedDeviceStatuses, makeRefusedGrants } from './refused-by-laptop.ts';
import { makeKeys } from './test-keys.ts';

const FILES = [
  'keys',
  'certificates',
  'hello',
  'challenge',
  'session-code',
  'statement',
  'grant',
  'confirm',
  'device-status',
  'renewal',
  'renewed',
  'bundle',
  'recovery-key',
  'escrow-receipt',
  'claim',
  'operator-challenge',
  'operator-sign-in',
  'operator-request',
  'operator-statement',
  'fingerprint',
  'hash-to-curve',
  'wireguard-key',
  'tpm-key',
  'thumbprint',
  'refused-hellos',
  'refused-challenges',
  'refused-statements',
  'refused-grants',
  'refused-confirms',
  'refused-device-statuses',
  'refused-renewals',
  'refused-renewal-answers',
  'refused-bundles',
  'refused-recovery-keys',
  'refused-escrow-receipts',
  'refused-operator-challenges',
  'refused-operator-sign-ins',
  'refused-operator-requests',
  'refused-operator-statements',
] as const;

const fileOf = (name: string): string => path.join(import.meta.dirname, `${name}.json`);

async function readText(name: string): Promise<string> {
  try {
    return await readFile(fileOf(name), 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

/** @returns the names of the files that were, or with `check` would have been, changed */
export async function makeVectors(options: { check: boolean }): Promise<string[]> {
  const before = new Map<string, string>();
  for (const name of FILES) before.set(name, await readText(name));
  const previous = (name: string): unknown => {
    const text = before.get(name) ?? '';
    return text === '' ? undefined : JSON.parse(text);
  };
  const { certificates, file } = await makeCertificates(previous('certificates'));
  const exchange = await makeExchange(certificates, previous);
  const renewal = await makeRenewal(certificates, previous);
  const bundle = await makeBundle(previous);
  const recovery = await makeRecoveryKey(certificates, previous);
  const operator = await makeOperator(certificates, previous);
  const refused = {
    'refused-hellos': makeRefusedHellos(exchange.hello, previous('refused-hellos')),
    'refused-challenges': makeRefusedChallenges(certificates, exchange.challenge, previous('refused-challenges')),
    'refused-statements': makeRefusedStatements(certificates, exchange.statement, previous('refused-statements')),
    'refused-grants': makeRefusedGrants(certificates, exchange.grant, previous('refused-grants')),
    'refused-confirms': makeRefusedConfirms(exchange.confirm, previous('refused-confirms')),
    'refused-device-statuses': makeRefusedDeviceStatuses(
      certificates,
      exchange['device-status'],
      previous('refused-device-statuses'),
    ),
    'refused-renewals': makeRefusedRenewals(renewal.renewal, previous('refused-renewals')),
    'refused-renewal-answers': makeRefusedRenewalAnswers(
      certificates,
      renewal.renewed,
      previous('refused-renewal-answers'),
    ),
    'refused-bundles': makeRefusedBundles(bundle, previous('refused-bundles')),
    'refused-recovery-keys': makeRefusedRecoveryKeys(recovery['recovery-key'], previous('refused-recovery-keys')),
    'refused-escrow-receipts': makeRefusedReceipts(
      certificates,
      recovery['escrow-receipt'],
      previous('refused-escrow-receipts'),
    ),
    'refused-operator-challenges': makeRefusedOperatorChallenges(
      certificates,
      operator['operator-challenge'],
      previous('refused-operator-challenges'),
    ),
    'refused-operator-sign-ins': makeRefusedOperatorSignIns(
      certificates,
      operator['operator-sign-in'],
      previous('refused-operator-sign-ins'),
    ),
    'refused-operator-requests': makeRefusedOperatorRequests(
      operator['operator-request'],
      previous('refused-operator-requests'),
    ),
    'refused-operator-statements': makeRefusedOperatorStatements(
      operator['operator-statement'],
      previous('refused-operator-statements'),
    ),
  };
  const vectors: Record<string, object> = {
    keys: makeKeys(),
    certificates: file,
    ...exchange,
    ...renewal,
    bundle,
    ...recovery,
    claim: await makeClaim(certificates, exchange, previous('claim')),
    ...operator,
    fingerprint: makeFingerprint(),
    'hash-to-curve': makeHashToCurve(),
    'wireguard-key': await makeWireguardKeys(exchange.challenge.jws),
    'tpm-key': await makeTpmKey(exchange.challenge.jws, previous('tpm-key')),
    thumbprint: makeThumbprint(),
  };
  for (const [name, made] of Object.entries(refused)) vectors[name] = await made;
  const changed: string[] = [];
  for (const name of FILES) {
    const config = await resolveConfig(fileOf(name));
    const text = await format(JSON.stringify(vectors[name], undefined, 2), { ...config, parser: 'json' });
    if (text === before.get(name)) continue;
    changed.push(name);
    if (!options.check) {
      await writeFile(fileOf(name), text);
    }
  }
  return changed;
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  const changed = await makeVectors({ check });
  for (const name of changed) process.stderr.write(`${check ? 'not up to date' : 'written'}: ${name}.json\n`);
  if (check && changed.length > 0) {
    process.stderr.write(
      'error: the test vectors differ from what the code generates\nhint: run npm run vectors and look at the difference\n',
    );
    process.exitCode = 1;
  }
}
