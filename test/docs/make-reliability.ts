/**
 * Writes docs/reliability.md. Its lists are those that test/e2e/03-interruption goes through.
 *
 *     node test/docs/make-reliability.ts
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { format, resolveConfig } from 'prettier';

import { DISK_EDGES } from '../e2e/03-interruption/disk-edges.ts';
import { EDGES, RENEWAL_EDGES, UNDO_EDGES, type Edge } from '../e2e/03-interruption/edges.ts';

export const RELIABILITY_FILE = path.join(import.meta.dirname, '../../docs/reliability.md');

const TEXT = `<!-- Made from test/e2e/03-interruption/edges.ts by test/docs/make-reliability.ts. Change it there, then run it. -->

# What a crash leaves, and what the next run does

An enrollment can be interrupted at any moment: the lid is closed, the battery is empty, the process is killed, the disk is full. This is guaranteed:

- **Run it again.** \`kiwistack-enroll enroll\` resumes an interrupted enrollment. However often it was interrupted, there is one device at the slice, one
  certificate, one tunnel peer and one host in Fleet in the end.
- **No second touch** once the signed statement is on the disk: the same bytes are sent again, and the slice answers with the same grant.
- **If a step fails, it is undone**, with all steps before it, in reverse order: files, routes, resolver, trust stores, units and packages are as before.
- **An interrupted undo is finished first**, by the next \`enroll\` or \`uninstall\`.

The journal (\`journal.jsonl\` beside the record) has the intent of each step before it acts and the outcome afterwards; each line is on the disk before
anything else happens. Files are replaced atomically: temporary file, fsync, rename, fsync of the folder. Each step looks at what is there before it acts,
so it may be repeated. Record, journal and the state of the system determine what is done next.

## How it is tested

Each edge below is a place where a crash may leave something different. A test build ends itself at the edge that \`KIWISTACK_FAULT\` names, as
\`POINT=ACTION\`: \`kill\` (SIGKILL), \`power\` (switches the machine off without a sync), or \`fail\` (the next act fails with EIO). Production builds refuse
the variable. The end-to-end tests kill and fail enrollments at these edges in a laptop made of namespaces (\`npm run test:nightly\`: at every one);
\`npm run test:machine\` cuts the power of a virtual laptop. A test compares the lists with what an enrollment and an uninstall really pass.

`;

/** The whole file, formatted. */
export async function renderReliability(): Promise<string> {
  const text = `${TEXT}## Enrollment: ${EDGES.length} edges

${list(EDGES)}

## Renewal: ${RENEWAL_EDGES.length} edges

A renewal has no undo: it replaces the certificate by one rename, and then notes its number.

${list(RENEWAL_EDGES)}

## The disk: ${DISK_EDGES.length} edges

Securing a disk has no undo either: at each of these, something opens it that is not lost. Its own record (\`disk.json\`) is replaced between them.

${list(DISK_EDGES)}

## Undo and uninstall: ${UNDO_EDGES.length} edges

${list(UNDO_EDGES)}
`;
  const config = await resolveConfig(RELIABILITY_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

/** A list, as the texts are too long for the columns of a table. */
function list(edges: readonly Edge[]): string {
  const steps = [...new Set(edges.map(({ step }) => step))];
  return steps
    .map((step) => {
      const items = edges
        .filter((edge) => edge.step === step)
        .map(({ point, leaves, next }) => `- \`${point}\`: leaves ${leaves}. The next run ${next}.`);
      return [`### ${step}`, '', ...items, ''].join('\n');
    })
    .join('\n');
}

if (import.meta.main) await writeFile(RELIABILITY_FILE, await renderReliability());
