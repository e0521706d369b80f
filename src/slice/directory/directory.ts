import { Attribute, Change, Client, EqualityFilter } from 'ldapts';

import { KiwiError } from '../../core/errors.ts';
import type { SliceConfig } from '../config/slice-config.ts';

export type DirectoryConfig = NonNullable<SliceConfig['directory']>;

/** Where the entries of laptops are. */
export interface Directory {
  /**
   * Disables the entry of a laptop, or enables it again. Safe to repeat.
   * @returns its DN; undefined when the directory has no entry for that name
   * @throws KiwiError `directory-unavailable` when it does not answer or refuses
   */
  setDisabled(hostName: string, disabled: boolean): Promise<string | undefined>;
}

const CONNECT_MS = 3000;
const ANSWER_MS = 5000;

/**
 * Opens the directory when there is something to do: a slice that loses a laptop a year keeps no connection.
 *
 * The attribute says that an entry is disabled, and the directory has to act on it: `pwdAccountLockedTime` with the time 000001010000Z is an
 * entry that nobody but an administrator unlocks (draft-behera-ldap-password-policy-10, 5.3.3). slapd heeds it in simple binds only, and
 * for laptops that bind with their certificate where authz-regexp asks for it: docs/operators.md shows how.
 */
export function createDirectory(
  config: DirectoryConfig,
  access: { readonly ca: string; readonly secret: string },
): Directory {
  const { url, base, bindDn, nameAttribute, disabled: mark } = config;
  return {
    async setDisabled(hostName, disabled) {
      const client = new Client({
        url,
        ...{ connectTimeout: CONNECT_MS, timeout: ANSWER_MS },
        tlsOptions: { ca: access.ca, minVersion: 'TLSv1.2' },
      });
      try {
        await client.bind(bindDn, access.secret);
        const { searchEntries } = await client.search(base, {
          scope: 'sub',
          filter: new EqualityFilter({ attribute: nameAttribute, value: hostName }),
          attributes: [mark.attribute],
          sizeLimit: 2,
        });
        const [entry, ...others] = searchEntries;
        if (entry === undefined) return undefined;
        if (others.length > 0) throw new TypeError(`several entries have ${nameAttribute}=${hostName}`);
        const has = [entry[mark.attribute] ?? []].flat().map(String);
        if (disabled ? has.includes(mark.value) : has.length === 0) return entry.dn;
        // To replace an attribute by no value deletes it (RFC 4511, 4.6).
        const modification = new Attribute({ type: mark.attribute, values: disabled ? [mark.value] : [] });
        await client.modify(entry.dn, new Change({ operation: 'replace', modification }));
        return entry.dn;
      } catch (error) {
        const detail = error instanceof Error ? `${error.name}: ${error.message}` : 'failed';
        throw new KiwiError('directory-unavailable', { detail: `${url}: ${detail}`, cause: error });
      } finally {
        await client.unbind().catch(() => undefined);
      }
    },
  };
}
