import type { SliceParts } from '../../protocol/slice-parts.ts';
import type { SliceContext } from '../slice-context.ts';

/** Every laptop asks every hour; the parts are asked once for all who ask within this time. */
const CACHE_MS = 5000;
/** A part that hangs is down for a laptop, whose question must not hang with it. */
const PATIENCE_MS = 1500;
const seen = new WeakMap<SliceContext, { readonly at: number; readonly parts: Promise<SliceParts> }>();

/** What a laptop is told of the slice's own parts. */
export function lookAtParts(slice: SliceContext): Promise<SliceParts> {
  const now = slice.clock.monotonic();
  const last = seen.get(slice);
  if (last !== undefined && now - last.at < CACHE_MS) return last.parts;
  const parts = Promise.all([answers(slice, slice.ca), answers(slice, slice.endpoint)]).then(([ca, endpoint]) => ({
    ...{ ca, endpoint },
    offlineDays: slice.config.windows.offlineDays,
  }));
  seen.set(slice, { at: now, parts });
  return parts;
}

async function answers({ clock }: SliceContext, part: { healthy(): Promise<boolean> }): Promise<boolean> {
  const over = new AbortController();
  const late = clock.sleep(PATIENCE_MS, over.signal).catch(() => undefined);
  try {
    return await Promise.race([part.healthy(), late.then(() => false)]);
  } finally {
    over.abort();
  }
}
