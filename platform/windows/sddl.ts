/**
 * Rights of files in Microsoft's security descriptor definition language ([MS-DTYP], section 2.5.1): text, so that what is set and what
 * is found can be read and tested anywhere.
 */

/**
 * `SY` is the system, `BA` the group Administrators, `BU` everybody who can log in. Administrators are the owner: an administrator may not make the
 * system one without a privilege that is switched off at first.
 */
const OWNER = 'O:BAD:PAI';
const OURS = ['(A;{};FA;;;SY)', '(A;{};FA;;;BA)'];
/** FILE_GENERIC_READ and FILE_GENERIC_EXECUTE. */
const READERS = '(A;{};0x1200a9;;;BU)';
/** What is made in a folder later gets the same rights. */
const HANDED_DOWN = 'OICI';

/** A file's or folder's rights from its permission bits: what others than root may do, others than system and administrators may. */
export function renderSecurity(kind: 'file' | 'folder', mode: number): string {
  const entries = (mode & 0o004) === 0 ? OURS : [...OURS, READERS];
  return OWNER + entries.map((entry) => entry.replace('{}', kind === 'folder' ? HANDED_DOWN : '')).join('');
}

/**
 * The agent's pipe: whoever is at a screen may talk to it, nobody from the network; only system and administrators may make another pipe of
 * this name, which is bit 4 in the last entry's rights, missing there. `AGENT_PIPE_SDDL` in native/windows-helper/service.h is the same.
 */
export const PIPE_SECURITY = 'O:SYG:SYD:P(D;;GA;;;NU)(A;;GA;;;SY)(A;;GA;;;BA)(A;;0x12019b;;;IU)';

/** A key of the machine in CNG: for the system and administrators alone. Who made it stays its owner: one of the two. */
export const KEY_SECURITY = 'D:P(A;;GA;;;SY)(A;;GA;;;BA)';

/** SIDs that stand for us: the system, Administrators, and the service that installs Windows' own files. */
const TRUSTED: ReadonlySet<string> = new Set([
  ...['SY', 'BA', 'S-1-5-18', 'S-1-5-32-544'],
  'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464',
]);

export interface Security {
  /** Of root, in the words of the checks. */
  readonly ownedByUs: boolean;
  readonly owner: string;
  /** Permission bits, as near as they come: what anybody else may do is in those of group and others. */
  readonly mode: number;
}

/** Rights that only look: READ_CONTROL, SYNCHRONIZE, FILE_READ_ATTRIBUTES, FILE_READ_EA. */
const LOOK = 0x12_0088;
/** FILE_READ_DATA and FILE_EXECUTE. */
const READ = 0x21;
const NAMED: Readonly<Record<string, number>> = {
  ...{
    FA: 0x1f_01ff,
    FR: 0x12_0089,
    FW: 0x12_0116,
    FX: 0x12_00a0,
    GA: 0x1f_01ff,
    GR: 0x12_0089,
    GW: 0x12_0116,
    GX: 0x12_00a0,
  },
  ...{ RC: 0x02_0000, WD: 0x04_0000, WO: 0x08_0000, SD: 0x01_0000 },
  ...{ CC: 0x1, DC: 0x2, LC: 0x4, SW: 0x8, RP: 0x10, WP: 0x20, DT: 0x40, LO: 0x80, CR: 0x100 },
};

/**
 * @param ownSid the administrator who runs this program, whose rights are ours too
 * @returns what a descriptor means; whoever reads this wrongly reads too much into it: an entry of an unknown kind counts as open to all
 */
export function readSecurity(text: string, ownSid?: string): Security {
  const trusted = (sid: string): boolean => TRUSTED.has(sid) || sid === ownSid;
  const owner = /^O:(S-[0-9-]+|[A-Z]{2})/u.exec(text)?.[1] ?? '';
  let others = text.includes('D:') && !/D:[A-Z]*NO_ACCESS_CONTROL/u.test(text) ? 0 : 0o7;
  for (const [, entry = ''] of text.matchAll(/\(([^()]*)\)/gu)) {
    const [type = '', , rights = '', , , sid = ''] = entry.split(';');
    if (trusted(sid) || type === 'D') continue;
    const mask = type === 'A' ? maskOf(rights) : undefined;
    if (mask === undefined) others |= 0o7;
    else {
      if ((mask & READ) !== 0) others |= 0o4;
      if ((mask & ~(LOOK | READ)) !== 0) others |= 0o2;
    }
  }
  return { ownedByUs: trusted(owner), owner, mode: 0o600 | (others << 3) | others };
}

/** A hexadecimal number, or names of two letters each; undefined for anything else. */
function maskOf(rights: string): number | undefined {
  if (/^0x[0-9a-f]{1,8}$/iu.test(rights)) return Number(rights);
  const names = rights.match(/../gu) ?? [];
  if (names.join('') !== rights || names.some((name) => NAMED[name] === undefined)) return undefined;
  return names.reduce((mask, name) => mask | (NAMED[name] ?? 0), 0);
}
