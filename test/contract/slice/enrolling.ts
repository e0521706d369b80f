import { readFileSync } from 'node:fs';

import type { ErrorCode } from '../../../src/core/error-codes.ts';
import type { Grant } from '../../../src/protocol/grant.ts';
import type { Consent } from '../../../src/protocol/consent.ts';
import type { Statement } from '../../../src/protocol/statement.ts';
import type { Arguments } from '../../../src/protocol/operator-verbs.ts';
import { openSlice, type LocalSlice } from '../../../src/slice/operator/open-slice.ts';
import {
  newHello,
  newLaptop,
  newStatement,
  readChallenge,
  readGrant,
  sealStatement,
  sendConfirm,
  sendHello,
  sendStatement,
  type Answer,
  type Laptop,
  type OpenedChallenge,
} from '../../fakes/slice/test-laptop.ts';
import type { ProvisionedKey, TestSlice } from '../../fakes/slice/test-slice.ts';

/** An enrollment up to the statement; tests change it as they like before it is sealed or sent. */
export interface Started {
  readonly laptop: Laptop;
  readonly challenge: OpenedChallenge;
  readonly sessionId: string;
  statement: Statement;
}

export async function start(slice: TestSlice, key: ProvisionedKey, laptop: Laptop = newLaptop()): Promise<Started> {
  const hello = await sendHello(slice.gateway, newHello(laptop));
  if (hello.status !== 200) throw new Error(hello.body);
  const challenge = readChallenge(hello.body);
  const statement = await newStatement(laptop, challenge, key);
  return { laptop, challenge, sessionId: challenge.content.sessionId, statement };
}

export const seal = (started: Started, key: Pick<ProvisionedKey, 'signer' | 'chain'>): Promise<string> =>
  sealStatement(started.statement, {
    challenge: started.challenge,
    laptop: started.laptop,
    yubikey: key,
    chain: key.chain,
  });

export interface Enrolled extends Started {
  readonly jwe: string;
  readonly grantJwe: string;
  readonly grant: Grant;
}

/** Up to the grant; throws when it is refused. */
export async function enroll(slice: TestSlice, key: ProvisionedKey, laptop?: Laptop): Promise<Enrolled> {
  const started = await start(slice, key, laptop);
  const jwe = await seal(started, key);
  const answer = await sendStatement(slice.gateway, started.sessionId, jwe);
  if (answer.status !== 200) throw new Error(answer.body);
  return { ...started, jwe, grantJwe: answer.body, grant: await readGrant(started.laptop, answer.body) };
}

/** Up to the confirmation: an active device. */
export async function enrollAndConfirm(slice: TestSlice, key: ProvisionedKey, laptop?: Laptop): Promise<Enrolled> {
  const enrolled = await enroll(slice, key, laptop);
  const answer = await sendConfirm(slice.gateway, enrolled.laptop, enrolled.grant.deviceId, enrolled.grantJwe);
  if (answer.status !== 200) throw new Error(answer.body);
  return enrolled;
}

export const codeOf = (answer: Answer): ErrorCode | 'ok' =>
  answer.status === 200 ? 'ok' : (JSON.parse(answer.body) as { code: ErrorCode }).code;

/** The devices that are still live; a refused run leaves none. */
export async function livingDevices(slice: TestSlice): Promise<string[]> {
  const devices = await slice.running.context.registry.listDevices();
  return devices.filter((device) => device.state !== 'ended').map((device) => device.hostName);
}

export const readText = (file: string): string => readFileSync(file, 'utf8');

/** Does what an operator does in the slice's folder. */
export async function asOperator<T>(slice: TestSlice, work: (operator: LocalSlice) => Promise<T>): Promise<T> {
  const operator = await openSlice(slice.dir, slice.clock);
  try {
    return await work(operator);
  } finally {
    await operator.close();
  }
}

export const consentTo = (
  slice: TestSlice,
  device: string,
  wish: Partial<Arguments<'consent.give'>> = {},
): Promise<Consent> =>
  asOperator(slice, (operator) =>
    operator.ask('consent.give', { device, hours: 1, why: 'new disk', newMainboard: false, ...wish }),
  );
