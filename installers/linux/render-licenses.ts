const RULE = '='.repeat(100);

/** Renders the two files about licences: `copyright` is short and lists all packages, `licenses` has the full texts. */
export function renderLicenses(parts: {
  /** The package's own notice. */
  readonly own: string;
  /** The libraries' licences, as written by installers/build/third-party-licenses.ts: each begins with name, version and licence. */
  readonly libraries: string;
  readonly nodeVersion: string;
  /** LICENSE of Node.js, including those of its parts. */
  readonly node: string;
}): { copyright: string; licenses: string } {
  const { own, libraries, nodeVersion, node } = parts;
  const nodeTitle = `Node.js ${nodeVersion} (MIT, and those of what is part of it)`;
  const titles = [...libraries.split(`\n${RULE}\n`).map((part) => part.trim().split('\n')[0] ?? ''), nodeTitle];
  const licenses = `${libraries}\n${RULE}\n\n${nodeTitle}\n\n${node}`.replaceAll('\r', '');
  return { copyright: `${own}${titles.map((title) => `  ${title}\n`).join('')}`, licenses };
}
