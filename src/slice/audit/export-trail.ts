import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { digestText } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { AuditRecord, Registry } from '../registry/registry.ts';
import type { AuditSeal } from './audit-seal.ts';
import { MAX_CHECKPOINT, openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { walkTrail, type Trail } from './walk-trail.ts';

const MAX_LINE = 32 * 1024;
/** Some 700 000 records. */
export const MAX_EXPORT = 256 * 1024 * 1024;

const word = z.string().max(2000);
const record = z.strictObject({
  ...{ id: z.int().min(1), at: z.int(), requestId: word, actor: word, action: word },
  decision: z.enum(['allowed', 'refused', 'alarm', 'failed']),
  ...{ code: word.exactOptional(), yubikeySerial: z.int().exactOptional() },
  ...{ deviceId: word.exactOptional(), sessionId: word.exactOptional(), why: z.string().max(16_384).exactOptional() },
  link: digestText,
});
const last = z.strictObject({ checkpoint: z.string().max(MAX_CHECKPOINT) });

/** So many records of 16 KB fit into an answer to an operator. */
const PAGE = 1000;

/** Some records of an export, and with the first of them what seals all. */
export interface ExportPage {
  readonly records: AuditRecord[];
  /** The number of the last record of the whole export. */
  readonly until: number;
  readonly checkpoint?: string;
}

/**
 * A page of an export: the records after a number. The first page, without `until`, seals the trail.
 * @throws KiwiError `slice-damaged` when the trail was changed
 */
export async function exportPage(
  seal: AuditSeal,
  registry: Pick<Registry, 'readAudit'>,
  after: number,
  until?: number,
): Promise<ExportPage> {
  if (until !== undefined) return { records: await read(registry, after, until), until };
  await seal.seal();
  const checkpoint = await seal.checkpoint();
  if (checkpoint === undefined) return { records: [], until: 0 };
  const { jws, content } = checkpoint;
  return { records: await read(registry, after, content.records), until: content.records, checkpoint: jws };
}

async function read(registry: Pick<Registry, 'readAudit'>, after: number, until: number): Promise<AuditRecord[]> {
  return (await registry.readAudit(after, PAGE)).filter(({ id }) => id <= until);
}

/**
 * The trail as lines of JSON: a record each, oldest first, and the checkpoint that seals them. Whoever keeps it can show later what the
 * trail was.
 */
export async function* exportTrail(
  page: (after: number, until?: number) => Promise<ExportPage>,
): AsyncGenerator<string> {
  const first = await page(0);
  if (first.checkpoint === undefined) return;
  for (let { records } = first; records.length > 0;) {
    for (const entry of records) yield `${JSON.stringify(entry)}\n`;
    const end = records.at(-1)?.id ?? 0;
    records = end < first.until ? (await page(end, first.until)).records : [];
  }
  yield `${JSON.stringify({ checkpoint: first.checkpoint } satisfies z.input<typeof last>)}\n`;
}

/**
 * Opens an export: whole, and sealed by this customer's gateway.
 * @throws KiwiError `file-unusable` when it is not such a file, or its seal is not the gateway's
 */
export async function openExport(
  bytes: Buffer,
  slug: string,
  root: Certificate,
): Promise<{ readonly trail: Trail; readonly checkpoint: Checkpoint; readonly jws: string }> {
  const lines = bytes.toString().split('\n');
  const end = lines.findLastIndex((line) => line !== '');
  const sealed = parseLine(last, lines[end] ?? '', 'it has no seal at its end');
  const checkpoint = openSeal(sealed.checkpoint, slug, root);
  const records = function* (): Generator<AuditRecord> {
    for (const [index, line] of lines.slice(0, end).entries()) {
      yield parseLine(record, line, `line ${index + 1} is no record`);
    }
  };
  return { trail: await walkTrail(records(), { last: checkpoint }), checkpoint, jws: sealed.checkpoint };
}

function parseLine<S extends z.ZodType>(schema: S, line: string, what: string): z.output<S> {
  try {
    return parseMessage(schema, Buffer.from(line), MAX_LINE, 'file-unusable');
  } catch (error) {
    throw new KiwiError('file-unusable', { detail: `the export: ${what}`, cause: error });
  }
}

/** It is the file that is wrong then, not the slice. @throws KiwiError `file-unusable` */
function openSeal(jws: string, slug: string, root: Certificate): Checkpoint {
  try {
    return openCheckpoint(jws, slug, root);
  } catch (error) {
    if (!(error instanceof KiwiError)) throw error;
    throw new KiwiError('file-unusable', { detail: `the export: ${error.detail ?? error.message}`, cause: error });
  }
}
