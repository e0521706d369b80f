import { AlreadyExistsError, Attribute, Change, NoSuchObjectError, type Client } from 'ldapts';

import { isMark, markOf, type AccountOwner, type DeviceAccounts } from './device-accounts.ts';
import type { Kadmin } from './kadmin.ts';
import { withDirectory, type DirectoryAccess, type DirectoryConfig } from './with-directory.ts';

/**
 * The accounts of laptops in a directory with a Heimdal KDC: an entry `device` (RFC 4519, 3.5) by LDAP, to which a certificate is mapped, and the
 * principal by kadmin. The principal has the device's id, which the slice has made up: nothing else in the realm has that name, and its keytab
 * opens nothing but what was made for it.
 */
export function kadminAccounts(
  config: DirectoryConfig,
  access: DirectoryAccess,
  kadmin: Kadmin,
  place: { readonly hosts: string; readonly realm: string },
): DeviceAccounts {
  const { base, nameAttribute } = config;
  // A host name is a DNS label: nothing in it is escaped in a DN.
  const dnOf = (hostName: string): string => `${nameAttribute}=${hostName},${base}`;
  const principal = ({ deviceId }: AccountOwner): string => `host/${deviceId}.${place.hosts}@${place.realm}`;
  return {
    principal,

    async make(owner) {
      const { deviceId, hostName } = owner;
      await withDirectory(config, access, async (client) => {
        const texts = await textsOf(client, dnOf(hostName));
        if (texts === undefined) await addEntry(client, dnOf(hostName), nameAttribute, owner);
        // Of a device before this one that had the name. What has no mark was made by an administrator, and stays.
        else if (texts.some(isMark) && !texts.includes(markOf(deviceId))) {
          const values = [...texts.filter((text) => !isMark(text)), markOf(deviceId)];
          const modification = new Attribute({ type: 'description', values });
          await client.modify(dnOf(hostName), new Change({ operation: 'replace', modification }));
        }
      });
      await kadmin.add(principal(owner));
      return kadmin.keytab(principal(owner));
    },

    retireKey: (owner) => kadmin.remove(principal(owner)),

    async remove(owner) {
      const { deviceId, hostName } = owner;
      // First the key, which opens something; an entry without it does not.
      await kadmin.remove(principal(owner));
      await withDirectory(config, access, async (client) => {
        const texts = await textsOf(client, dnOf(hostName));
        if (texts?.includes(markOf(deviceId)) !== true) return;
        await client.del(dnOf(hostName)).catch(ignore(NoSuchObjectError));
      });
    },
  };
}

/** What describes an entry; undefined where there is none. */
async function textsOf(client: Client, dn: string): Promise<string[] | undefined> {
  const found = await client
    .search(dn, { scope: 'base', attributes: ['description'], sizeLimit: 1 })
    .catch(ignore(NoSuchObjectError));
  const entry = found?.searchEntries[0];
  return entry === undefined ? undefined : [entry['description'] ?? []].flat().map(String);
}

async function addEntry(
  client: Client,
  dn: string,
  nameAttribute: string,
  { deviceId, hostName }: AccountOwner,
): Promise<void> {
  const entry = { objectClass: 'device', [nameAttribute]: hostName, description: markOf(deviceId) };
  // Another process of this slice may just have made it.
  await client.add(dn, entry).catch(ignore(AlreadyExistsError));
}

function ignore(kind: abstract new (...args: never[]) => Error): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof kind) return undefined;
    throw error;
  };
}
