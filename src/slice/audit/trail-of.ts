import type { AuditRecord, Registry } from '../registry/registry.ts';

const PAGE = 500;

/** The records of a registry after a number, oldest first; those that are added meanwhile as well. */
export async function* trailOf(registry: Pick<Registry, 'readAudit'>, after = 0): AsyncGenerator<AuditRecord> {
  let last = after;
  for (;;) {
    const page = await registry.readAudit(last, PAGE);
    yield* page;
    const end = page.at(-1);
    if (end === undefined) return;
    last = end.id;
  }
}
