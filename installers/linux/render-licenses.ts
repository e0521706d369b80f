const RULE = '='.repeat(100);

/** The two files about licences: `copyright` is short and names everybody, `licenses` has all texts word for word. */
export function renderLicenses(parts: {
  /** The package's own notice. */
  readonly own: string;
  /** Of the libraries, as installers/build/third-party-licenses.ts writes them: each begins with name, version and licence. */
  readonly libraries: string;
  readonly nodeVersion: string;
  /** LICENSE of Node.js, with those of what is part of it. */
  readonly node: string;
}): { copyright: string; licenses: string } {
  const { own, libraries, nodeVersion, node } = parts;
  const nodeTitle = `Node.js ${nodeVersion} (MIT, and those of what is part of it)`;
  const titles = [...libraries.split(`\n${RULE}\n`).map((part) => part.trim().split('\n')[0] ?? ''), nodeTitle];
  const licenses = `${libraries}\n${RULE}\n\n${nodeTitle}\n\n${node}`.replaceAll('\r', '');
  return { copyright: `${own}${titles.map((title) => `  ${title}\n`).join('')}`, licenses };
}
