import { randomBytes } from 'node:crypto';

import { Agent, request } from 'undici';
import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import { isMark, markOf, type AccountOwner, type DeviceAccounts } from './device-accounts.ts';
import { keytabOf } from './keytab.ts';

export interface UdmSettings {
  /** `https://HOST/univention/udm` */
  readonly url: string;
  /** It may read, add and remove `computers/linux` below `position`. */
  readonly user: string;
  readonly password: string;
  /** PEM. */
  readonly ca: string;
  /** The container of the laptops. */
  readonly position: string;
  readonly hosts: string;
  readonly realm: string;
  readonly now: () => number;
}

const MODULE = 'computers/linux';
const MAX_ANSWER = 1 << 20;
const LIMITS = { headersTimeout: 5000, bodyTimeout: 5000, maxResponseSize: MAX_ANSWER } as const;

const object = z.object({ dn: z.string().max(500), properties: z.record(z.string(), z.json()) });
const found = z.object({ _embedded: z.object({ 'udm:object': z.array(object).max(10) }).optional() });
const template = z.object({
  options: z.record(z.string(), z.json()).default({}),
  policies: z.record(z.string(), z.json()).default({}),
  properties: z.record(z.string(), z.json()).default({}),
});

/**
 * The accounts of laptops in Univention's directory (UCS, Nubus), by the REST API of its Directory Manager, which alone may write there. A computer's keys
 * are made from a password there, and the keytab here from the same one, which nobody keeps: who asks again gets a new account.
 */
export function udmAccounts(settings: UdmSettings): DeviceAccounts {
  const agent = new Agent({ connect: { ca: settings.ca, timeout: 3000 }, connections: 2, ...LIMITS });
  const authorization = `Basic ${Buffer.from(`${settings.user}:${settings.password}`).toString('base64')}`;
  const ask = async (path: string, method: 'GET' | 'POST' | 'DELETE' = 'GET', body?: object): Promise<unknown> => {
    const url = `${settings.url}/${MODULE}/${path}`;
    const headers = {
      ...{ authorization, accept: 'application/json' },
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await request(url, { method, dispatcher: agent, headers, ...sent }).catch(unavailable);
    const text = await response.body.text().catch(unavailable);
    const { statusCode } = response;
    if (statusCode === 404 && method === 'DELETE') return undefined;
    if (statusCode < 200 || statusCode >= 300) {
      throw new KiwiError('directory-unavailable', { detail: `UDM answered ${statusCode} to ${method} ${MODULE}` });
    }
    return text === '' ? undefined : parse(text);
  };
  const findOne = async (hostName: string): Promise<{ dn: string; mark: string } | undefined> => {
    const answer = found.safeParse(await ask(`?query%5Bname%5D=${encodeURIComponent(hostName)}`));
    if (!answer.success) throw malformed();
    const [one] = answer.data._embedded?.['udm:object'] ?? [];
    const { description } = one?.properties ?? {};
    return one && { dn: one.dn, mark: typeof description === 'string' ? description : '' };
  };
  const removeOwn = async ({ deviceId, hostName }: AccountOwner): Promise<void> => {
    const one = await findOne(hostName);
    if (one?.mark === markOf(deviceId)) await ask(encodeURIComponent(one.dn), 'DELETE');
  };
  const nameOf = ({ hostName }: AccountOwner): string => `host/${hostName}.${settings.hosts}`;
  return {
    principal: (owner) => `${nameOf(owner)}@${settings.realm}`,

    async make(owner) {
      const one = await findOne(owner.hostName);
      if (one !== undefined && !isMark(one.mark)) {
        // Were its password replaced, whatever has this name would be cut off, and the laptop would be it.
        throw new KiwiError('directory-unavailable', { detail: `${one.dn} was not made by this slice` });
      }
      if (one !== undefined) await ask(encodeURIComponent(one.dn), 'DELETE');
      const password = randomBytes(32).toString('base64url');
      const empty = template.safeParse(await ask('add'));
      if (!empty.success) throw malformed();
      const { options, policies, properties } = empty.data;
      const own = { name: owner.hostName, domain: settings.hosts, password, description: markOf(owner.deviceId) };
      await ask('', 'POST', {
        ...{ position: settings.position, options, policies },
        properties: { ...properties, ...own },
      });
      // A new account's keys have the number 1.
      return keytabOf({ name: nameOf(owner), realm: settings.realm, kvno: 1 }, password, settings.now());
    },

    // UDM has no computer without a key: its keys go with it.
    retireKey: removeOwn,
    remove: removeOwn,
  };
}

function unavailable(error: unknown): never {
  const detail = error instanceof Error ? error.message : 'failed';
  throw new KiwiError('directory-unavailable', { detail: `UDM: ${detail}`, cause: error });
}

const malformed = (): KiwiError => new KiwiError('directory-unavailable', { detail: 'UDM answered in another form' });

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw malformed();
  }
}
