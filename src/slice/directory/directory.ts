import { Attribute, Change, EqualityFilter } from 'ldapts';

import { withDirectory, type DirectoryAccess, type DirectoryConfig } from './with-directory.ts';

/** Where the entries of laptops are. */
export interface Directory {
  /**
   * Disables the entry of a laptop, or enables it again. Safe to repeat.
   * @returns its DN; undefined when the directory has no entry for that name
   * @throws KiwiError `directory-unavailable` when it does not answer or refuses
   */
  setDisabled(hostName: string, disabled: boolean): Promise<string | undefined>;
}

/**
 * Opens the directory when there is something to do: a slice that loses a laptop a year keeps no connection.
 *
 * The attribute says that an entry is disabled, and the directory has to act on it: `pwdAccountLockedTime` with the time 000001010000Z is an
 * entry that nobody but an administrator unlocks (draft-behera-ldap-password-policy-10, 5.3.3). slapd heeds it in simple binds only, and
 * for laptops that bind with their certificate where authz-regexp asks for it: docs/operators.md shows how.
 */
export function createDirectory(config: DirectoryConfig, access: DirectoryAccess): Directory {
  const { base, nameAttribute, disabled: mark } = config;
  return {
    setDisabled: (hostName, disabled) =>
      withDirectory(config, access, async (client) => {
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
      }),
  };
}
