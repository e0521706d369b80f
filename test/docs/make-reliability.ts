/**
 * Writes docs/reliability.md; its tables are the list that test/e2e/03-interruption walks.
 *
 *     node test/docs/make-reliability.ts
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import { EDGES, UNDO_EDGES, type Edge } from '../e2e/03-interruption/edges.ts';

export const RELIABILITY_FILE = path.join(import.meta.dirname, '../../docs/reliability.md');

const TEXT = `<!-- Made from test/e2e/03-interruption/edges.ts by test/docs/make-reliability.ts. Change it there, then run it. -->

# What a crash leaves, and what the next run does

An enrollment can end at any moment: a closed lid, an empty battery, a kill -9, a full disk. What holds then:

- **Run it again.** \`kiwistack-enroll enroll\` goes on where it was cut off. In the end there is one device at the slice, one certificate, one
  tunnel peer, one Fleet host, however often it was begun.
- **No second touch** once the signed statement is on the disk: the same bytes go out again, and the slice answers with the same grant.
- **A step that fails is undone**, with all before it, in reverse: files, routes, resolver, trust stores, units and packages are as before.
- **An undo that was cut off is finished first**, by the next \`enroll\` or \`uninstall\`; never gone forward over.

How: before a step acts, its intent is in the journal (\`journal.jsonl\` beside the record), after it its outcome; each is on the disk before the next
thing happens. Files are replaced whole: temporary file, fsync, rename, fsync of the folder. Each step looks at what is there
before it acts, so that it may be repeated. What is to be done next follows from record, journal and the system alone.

## How it is shown

The edges below have names. A test build of the program ends itself at the one that \`KIWISTACK_FAULT\` names, as \`POINT=ACTION\`: \`kill\` (SIGKILL), \`power\`
(the machine, without a sync), \`fail\` (the next act fails with EIO). A build for people refuses the variable. \`npm test\` kills and fails an enrollment at every
one of them in a laptop made of namespaces; \`npm run test:machine\` cuts the power of a virtual laptop. A test holds the lists against what an enrollment
and an uninstall really pass.

`;

/** The whole file, formatted. */
export async function renderReliability(): Promise<string> {
  const text = `${TEXT}## Enrollment: ${EDGES.length} edges

${table(EDGES)}

## Undo and uninstall: ${UNDO_EDGES.length} edges

${table(UNDO_EDGES)}
`;
  const config = await resolveConfig(RELIABILITY_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

function table(edges: readonly Edge[]): string {
  const rows = edges.map(({ point, step, leaves, next }) => `| ${step} | \`${point}\` | ${leaves} | ${next} |`);
  return ['| step | edge | a crash here leaves | the next run |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

if (import.meta.main) await writeFile(RELIABILITY_FILE, await renderReliability());
