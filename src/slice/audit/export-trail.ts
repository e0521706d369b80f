import { z } from 'zod';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { digestText } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { AuditRecord, Registry } from '../registry/registry.ts';
import type { AuditSeal } from './audit-seal.ts';
import { MAX_CHECKPOINT, openCheckpoint, type Checkpoint } from './checkpoint.ts';
import { trailOf } from './trail-of.ts';
import { walkTrail, type Trail } from './walk-trail.ts';

const MAX_LINE = 16 * 1024;
/** Some 700 000 records. */
export const MAX_EXPORT = 256 * 1024 * 1024;

const word = z.string().max(2000);
const record = z.strictObject({
  ...{ id: z.int().min(1), at: z.int(), requestId: word, actor: word, action: word },
  decision: z.enum(['allowed', 'refused', 'alarm', 'failed']),
  ...{ code: word.exactOptional(), yubikeySerial: z.int().exactOptional() },
  ...{ deviceId: word.exactOptional(), sessionId: word.exactOptional(), why: word.exactOptional() },
  link: digestText,
});
const last = z.strictObject({ checkpoint: z.string().max(MAX_CHECKPOINT) });

/**
 * The trail as lines of JSON: a record each, oldest first, and the checkpoint that seals them. Whoever keeps it can show later what the
 * trail was.
 * @throws KiwiError `slice-damaged` when the trail was changed
 */
export async function* exportTrail(seal: AuditSeal, registry: Pick<Registry, 'readAudit'>): AsyncGenerator<string> {
  await seal.seal();
  const checkpoint = await seal.checkpoint();
  if (checkpoint === undefined) return;
  for await (const entry of trailOf(registry)) {
    if (entry.id > checkpoint.content.records) break;
    yield `${JSON.stringify(entry)}\n`;
  }
  yield `${JSON.stringify({ checkpoint: checkpoint.jws } satisfies z.input<typeof last>)}\n`;
}

/**
 * Opens an export: whole, and sealed by this customer's gateway.
 * @throws KiwiError `file-unusable` when it is not such a file, `slice-damaged` when its seal is not the gateway's
 */
export async function openExport(
  bytes: Buffer,
  slug: string,
  root: Certificate,
): Promise<{ readonly trail: Trail; readonly checkpoint: Checkpoint }> {
  const lines = bytes.toString().split('\n');
  const end = lines.findLastIndex((line) => line !== '');
  const sealed = parseLine(last, lines[end] ?? '', 'it has no seal at its end');
  const checkpoint = openCheckpoint(sealed.checkpoint, slug, root);
  const records = function* (): Generator<AuditRecord> {
    for (const [index, line] of lines.slice(0, end).entries()) {
      yield parseLine(record, line, `line ${index + 1} is no record`);
    }
  };
  return { trail: await walkTrail(records(), { last: checkpoint }), checkpoint };
}

function parseLine<S extends z.ZodType>(schema: S, line: string, what: string): z.output<S> {
  try {
    return parseMessage(schema, Buffer.from(line), MAX_LINE, 'file-unusable');
  } catch (error) {
    throw new KiwiError('file-unusable', { detail: `the export: ${what}`, cause: error });
  }
}

/** @throws KiwiError `slice-damaged` */
export function requireWhole({ fault }: Trail, where: string): void {
  if (fault !== undefined) throw new KiwiError('slice-damaged', { detail: `${where}: ${fault.what}` });
}
