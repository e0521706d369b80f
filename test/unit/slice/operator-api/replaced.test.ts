import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Clock } from '../../../../src/core/clock.ts';
import { remoteSlice, type RemoteSlice } from '../../../../src/operator-client/remote-slice.ts';
import { readStatement, signPayload, signStatement } from '../../../../src/operator-client/sign-statement.ts';
import { parseCertificate } from '../../../../src/pki/certificate.ts';
import { openRequest, signOpened } from '../../../../src/provider/sign-request.ts';
import { replaceIntermediate } from '../../../../src/slice/intermediate/replace-intermediate.ts';
import { requestIntermediate } from '../../../../src/slice/intermediate/request-intermediate.ts';
import { reissueOperators } from '../../../../src/slice/operator/reissue-operator.ts';
import { serveSlice, type ServedOperator, type ServedSlice } from './served-slice.ts';

// Two admins permit over the network that their slice's intermediate is replaced, and sign in to the slice that has another one.

let slice: ServedSlice;
let anna: ServedOperator;
let bob: ServedOperator;
beforeAll(async () => {
  slice = await serveSlice();
  [anna, bob] = [await slice.operator('anna', 'admin'), await slice.operator('bob', 'admin')];
});
afterAll(() => slice.end());

async function remotely<T>(operator: ServedOperator, work: (remote: RemoteSlice) => Promise<T>): Promise<T> {
  const remote = remoteSlice(await slice.signIn(operator), slice.clock);
  return work(remote).finally(() => remote.close());
}

test('an intermediate is replaced once both have signed for its key, and both sign in again with the keys they have', async () => {
  const { paths, clock } = slice;
  const at = (name: string): string => path.join(path.dirname(paths.dir), name);
  const root = {
    certificate: parseCertificate(await readFile(paths.msp.certificate, 'utf8')),
    key: createPrivateKey(await readFile(paths.msp.key)),
  };
  // Of two intermediates the later one counts.
  const later: Clock = { ...clock, now: () => clock.now() + 60_000 };
  const { text, keyDigest } = await requestIntermediate(paths.dir, { newKey: true });
  await writeFile(at('request.json'), text);
  const signed = await signOpened(await openRequest(at('request.json')), root, new Date(later.now()));
  await writeFile(at('answer.pem'), signed.answer);
  const replace = () => replaceIntermediate(paths.dir, { answer: at('answer.pem') }, later);

  const alone = remotely(anna, (remote) => remote.ask('intermediate.permit', { keyDigest }));
  await expect(alone).rejects.toMatchObject({ code: 'second-operator-needed' });
  await expect(replace()).rejects.toMatchObject({ code: 'second-operator-needed' });

  const wish = { slug: 'acme', verb: 'intermediate.permit', given: { keyDigest }, hours: 1 } as const;
  const statement = await signStatement(wish, anna, clock.now());
  const { id } = await remotely(anna, (remote) => remote.ask('approval.ask', { statement }));
  const signature = await signPayload(readStatement(statement).payload, bob);
  const approved = await remotely(bob, (remote) => remote.ask('approval.approve', { approval: id, signature }));
  expect(approved).toEqual({ verb: 'intermediate.permit', result: {} });
  expect((await replace()).permit).toEqual({
    ...{ decision: 'allowed', why: `permitted by anna and bob, approval ${id}` },
  });

  await slice.end();
  slice = await serveSlice(paths);
  slice.clock.offsetMs = 120_000;
  await expect(slice.signIn(anna)).rejects.toMatchObject({ code: 'key-certificate-replaced' });
  const reissue = await reissueOperators(paths.dir, slice.clock);
  const fresh = await reissue.certify(anna.yubikeySerial, { inHand: anna.certificate.spki });
  const written = await reissue.certify(bob.yubikeySerial, 'written');
  reissue.close();
  expect(await slice.signIn({ ...anna, certificate: fresh })).toMatchObject({ operator: 'anna', role: 'admin' });
  expect(await slice.signIn({ ...bob, certificate: written })).toMatchObject({ operator: 'bob', role: 'admin' });
  const audit = await slice.registry.listAudit(20);
  const actions = ['intermediate.permit', 'intermediate.replace', 'operator.reissue'];
  expect(actions.filter((action) => audit.every((entry) => entry.action !== action))).toEqual([]);
});
