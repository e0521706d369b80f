import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { MINIMAL_ENVIRONMENT } from '../../src/programs/minimal-environment.ts';
import { runChecked } from '../../src/programs/run-program.ts';
import {
  idOf,
  MAKER,
  PLACES,
  PRODUCT,
  renderWxs,
  sourceOf,
  SOURCES,
  UPGRADE_CODE,
  type MsiContents,
} from './render-wxs.ts';
import { stableGuid } from './stable-guid.ts';
import { setSummaryTimes } from './summary-times.ts';

export interface Msi extends MsiContents {
  /** The picture of the package, as Windows has them (.ico). */
  readonly icon: string;
  /** native/windows-installer. */
  readonly library: string;
  /** A folder for what is made on the way; made if it is not there. */
  readonly work: string;
  /** The file to make, on the same disk. */
  readonly out: string;
  readonly epochSeconds: number;
}

const PATIENCE_MS = 600_000;

/**
 * Makes the package for Windows. The same files give the same bytes; their times become `epochSeconds`.
 * @throws KiwiError `tool-missing` without msitools; `usage` for the version; `file-unusable` for a name of a file; `program-failed`
 */
export async function buildMsi({ work, out, epochSeconds, icon, library, ...contents }: Msi): Promise<void> {
  const wxs = renderWxs(contents);
  const made = path.join(work, 'package.msi');
  await mkdir(work, { recursive: true });
  await writeFile(path.join(work, 'package.wxs'), wxs);
  const files = new Map(contents.files.map(({ source, target }) => [sourceOf(target), source]));
  files.set(SOURCES.icon, icon).set(SOURCES.library, library);
  await mkdir(path.join(work, 'source'));
  const identity = createHash('sha256').update(wxs);
  for (const [name, file] of [...files].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
    await symlink(path.resolve(file), path.join(work, name));
    identity.update(
      createHash('sha256')
        .update(await readFile(file))
        .digest(),
    );
    // It is in the cabinet.
    await utimes(file, epochSeconds, epochSeconds);
  }
  await run('wixl', ['--arch', 'x64', '--output', made, 'package.wxs'], work);
  await run('msibuild', [made, ...queriesFor(contents).flatMap((query) => ['-q', query])], work);
  // Another package has another package code, whatever its version.
  const code = stableGuid(identity.digest('hex'));
  await run('msibuild', [made, '-s', PRODUCT, MAKER, 'x64;1033', code], work);
  await writeFile(made, setSummaryTimes(await readFile(made), epochSeconds));
  await rename(made, out);
}

/** What wixl 0.101 cannot say, or says wrongly, in the tables of Windows Installer that are named so. */
function queriesFor({ version, files }: MsiContents): readonly string[] {
  const queries = [
    // "Upgrade": 1 keeps whether the window was left out, 256 counts the lowest version in.
    insert('Upgrade', {
      UpgradeCode: UPGRADE_CODE,
      VersionMin: '0.0.0',
      VersionMax: version,
      Attributes: 257,
      ActionProperty: 'OLDERFOUND',
    }),
    "UPDATE `Property` SET `Value` = 'NEWERFOUND;OLDERFOUND' WHERE `Property` = 'SecureCustomProperties'",
    // "Feature": not to be advertised (8), and the first of them not to be left out (16).
    "UPDATE `Feature` SET `Attributes` = 24 WHERE `Feature` = 'Agent'",
    "UPDATE `Feature` SET `Attributes` = 8 WHERE `Feature` = 'Window'",
    // "CustomAction": sets a property (51); from a library (1), whatever it returns (64), in the script (1024), after the commit (512), as the system (2048).
    "UPDATE `CustomAction` SET `Type` = 51 WHERE `Action` = 'SetSayFarewell'",
    "UPDATE `CustomAction` SET `Type` = 3649 WHERE `Action` = 'RemoveData'",
  ];
  if (!files.some(({ target }) => target === PLACES.command)) return queries;
  const columns = [
    '`Environment` CHAR(72) NOT NULL',
    '`Name` CHAR(255) NOT NULL LOCALIZABLE',
    '`Value` CHAR(255) LOCALIZABLE',
    '`Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`',
  ];
  return [
    ...queries,
    // "Environment": `=` sets it, `-` removes it again with the component, `*` is for all users, `[~];` keeps what others have put there.
    `CREATE TABLE \`Environment\` (${columns.join(', ')})`,
    insert('Environment', {
      Environment: 'Path',
      Name: '=-*PATH',
      Value: `[~];[${idOf('d', 'bin')}]`,
      Component_: idOf('c', PLACES.command),
    }),
  ];
}

/** Of words of ours, without a quote in them. */
function insert(table: string, row: Readonly<Record<string, string | number>>): string {
  const names = Object.keys(row).map((name) => `\`${name}\``);
  const values = Object.values(row).map((value) => (typeof value === 'number' ? value.toString() : `'${value}'`));
  return `INSERT INTO \`${table}\` (${names.join(', ')}) VALUES (${values.join(', ')})`;
}

async function run(program: 'wixl' | 'msibuild', args: readonly string[], cwd: string): Promise<void> {
  const env = MINIMAL_ENVIRONMENT;
  await runChecked({ program: `/usr/bin/${program}`, args, cwd, env, timeoutMs: PATIENCE_MS });
}
