import { KiwiError, toKiwiError } from '../../../../src/core/errors.ts';

/**
 * A driver runs product code inside a laptop: it takes one call as JSON on stdin and writes one JSON on stdout, `{"ok": …}` or
 * `{"error": {"code", "detail"}}`, so that a test reads what happened and secrets stay out of argument lists.
 */
export async function answerCall(answer: (call: never) => Promise<unknown>): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const started = performance.now();
  const result = await answer(JSON.parse(Buffer.concat(chunks).toString()) as never).then(
    (ok) => ({ ok: ok ?? null }),
    (thrown: unknown) => {
      const error = thrown instanceof KiwiError ? thrown : toKiwiError(thrown);
      if (error.code === 'internal') console.error(thrown);
      return { error: { code: error.code, detail: error.detail } };
    },
  );
  process.stdout.write(JSON.stringify({ ...result, ms: Math.round(performance.now() - started) }));
}
