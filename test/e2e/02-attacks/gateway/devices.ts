import { randomUUID } from 'node:crypto';

import { generateP256, jwkThumbprint, publicJwk } from '../../../../src/pki/keys.ts';
import { signCompact } from '../../../../src/pki/jws.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { CLOCK_WINDOW_MS, MEDIA, PROTOCOL, TYP } from '../../../../src/protocol/common.ts';
import type { Answer } from '../../../world/protocol-client.ts';
import { confirmation, nonce, type Attack, type Siege } from '../siege.ts';

const device = (name: string, code: Attack['code'], send: (siege: Siege) => Promise<Answer>, why?: RegExp): Attack => ({
  name,
  code,
  ...(why === undefined ? {} : { why }),
  attack: async (siege) => ({ answer: await send(siege) }),
});

const MINUTE = 60_000;
const LEAVE = { reason: 'uninstalled' };

/** A message to one device, signed by a key under a name, both of one's choosing. */
async function forged(
  siege: Siege,
  verb: 'confirm' | 'status' | 'leave',
  made: { path: string; deviceId: string; signer: ReturnType<typeof generateP256>; kid?: string; jwk?: boolean },
): Promise<Answer> {
  const message = verb === 'confirm' ? confirmation(siege.unconfirmed.grantHash) : verb === 'leave' ? LEAVE : nonce();
  const jws = await signCompact({
    typ: TYP[verb],
    ...(made.jwk === true
      ? { jwk: publicJwk(made.signer) }
      : { kid: made.kid ?? jwkThumbprint(publicJwk(made.signer)) }),
    signer: keySigner(made.signer),
    payload: JSON.stringify({
      protocol: PROTOCOL,
      deviceId: made.deviceId,
      ...message,
      timestamp: new Date().toISOString(),
    }),
  });
  return siege.client.send('POST', `/v1/devices/${made.path}/${verb}`, jws, MEDIA.jose);
}

export const deviceAttacks: readonly Attack[] = [
  device('a confirmation of another grant', 'confirm-mismatch', ({ client, unconfirmed, victim }) =>
    client.device('confirm', unconfirmed.deviceId, unconfirmed.exchange.deviceKey, confirmation(victim.grantHash)),
  ),
  device('a confirmation by another key', 'device-signature-refused', ({ client, unconfirmed }) =>
    client.device('confirm', unconfirmed.deviceId, generateP256(), confirmation(unconfirmed.grantHash)),
  ),
  device('a confirmation by another laptop', 'device-signature-refused', ({ client, unconfirmed, victim }) =>
    client.device('confirm', unconfirmed.deviceId, victim.exchange.deviceKey, confirmation(unconfirmed.grantHash)),
  ),
  device(
    "another key under the name of the device's",
    'device-signature-refused',
    (siege) => {
      const { deviceId, exchange } = siege.unconfirmed;
      const kid = jwkThumbprint(publicJwk(exchange.deviceKey));
      return forged(siege, 'confirm', { path: deviceId, deviceId, signer: generateP256(), kid });
    },
    /^signature$/,
  ),
  device('the key itself in the header', 'device-signature-refused', (siege) => {
    const { deviceId, exchange } = siege.unconfirmed;
    return forged(siege, 'confirm', { path: deviceId, deviceId, signer: exchange.deviceKey, jwk: true });
  }),
  device(
    'a message for another device than the path names',
    'request-malformed',
    (siege) => {
      const { unconfirmed, victim } = siege;
      const signer = victim.exchange.deviceKey;
      return forged(siege, 'leave', { path: victim.deviceId, deviceId: unconfirmed.deviceId, signer });
    },
    /deviceId is another/,
  ),
  device('a device that never was', 'device-unknown', ({ client, victim }) =>
    client.device('confirm', randomUUID(), victim.exchange.deviceKey, confirmation(victim.grantHash)),
  ),
  device('something else as the device', 'device-unknown', ({ client, victim }) =>
    client.send('POST', `/v1/devices/..%2f${victim.deviceId}/status`, 'e30.e30.e30', MEDIA.jose),
  ),
  device('a confirmation that is too old', 'clock-skew', ({ client, unconfirmed }) =>
    client.device(
      'confirm',
      unconfirmed.deviceId,
      unconfirmed.exchange.deviceKey,
      confirmation(unconfirmed.grantHash),
      {
        at: Date.now() - CLOCK_WINDOW_MS - MINUTE,
      },
    ),
  ),
  device('a confirmation of tomorrow', 'clock-skew', ({ client, unconfirmed }) =>
    client.device(
      'confirm',
      unconfirmed.deviceId,
      unconfirmed.exchange.deviceKey,
      confirmation(unconfirmed.grantHash),
      {
        at: Date.now() + 24 * 60 * MINUTE,
      },
    ),
  ),
  device('a question for the status, replayed too late', 'clock-skew', ({ client, victim }) =>
    client.device('status', victim.deviceId, victim.exchange.deviceKey, nonce(), {
      at: Date.now() - CLOCK_WINDOW_MS - MINUTE,
    }),
  ),
  device(
    'a question for the status in place of a farewell',
    'request-malformed',
    ({ client, victim }) =>
      client.device('leave', victim.deviceId, victim.exchange.deviceKey, LEAVE, { typ: TYP.status }),
    /another typ/,
  ),
  device(
    'a statement in place of a confirmation',
    'request-malformed',
    ({ client, victim }) =>
      client.device('confirm', victim.deviceId, victim.exchange.deviceKey, confirmation(victim.grantHash), {
        typ: TYP.statement,
      }),
    /another typ/,
  ),
  device('a farewell by another laptop', 'device-signature-refused', ({ client, victim, unconfirmed }) =>
    client.device('leave', victim.deviceId, unconfirmed.exchange.deviceKey, LEAVE),
  ),
  device('a farewell by the YubiKey that enrolled the laptop', 'device-signature-refused', async (siege) => {
    const { deviceId, exchange } = siege.victim;
    const signer = siege.otherKey.privateKey;
    const kid = jwkThumbprint(publicJwk(exchange.deviceKey));
    return forged(siege, 'leave', { path: deviceId, deviceId, signer, kid });
  }),
  device(
    'a farewell for a reason that there is not',
    'request-malformed',
    ({ client, victim }) => client.device('leave', victim.deviceId, victim.exchange.deviceKey, { reason: 'bored' }),
    /reason/,
  ),
  device(
    'a confirmation with a field more',
    'request-malformed',
    ({ client, unconfirmed }) =>
      client.device('confirm', unconfirmed.deviceId, unconfirmed.exchange.deviceKey, {
        ...confirmation(unconfirmed.grantHash),
        state: 'active',
      }),
    /unrecognized_keys/,
  ),
  {
    name: 'a confirmation after the farewell',
    code: 'device-ended',
    ...(() => {
      let gone: Awaited<ReturnType<Siege['enroll']>> | undefined;
      return {
        prepare: async (siege: Siege) => {
          gone = await siege.enroll();
          await siege.leave(gone);
          await siege.settled();
        },
        attack: async ({ client }: Siege) => {
          if (gone === undefined) throw new TypeError('prepared');
          const answer = await client.device(
            'confirm',
            gone.deviceId,
            gone.exchange.deviceKey,
            confirmation(gone.grantHash),
          );
          return { answer };
        },
      };
    })(),
  },
];
