/**
 * What may leave a laptop: a text of this form, a number, a boolean, a list, or the named fields of an object. A form is compared with the
 * whole text.
 */
export type Allowed =
  | RegExp
  | 'number'
  | 'boolean'
  | ((text: string) => boolean)
  | readonly [Allowed]
  | { readonly [name: string]: Allowed };

const MAX_ITEMS = 200;

/** Counts what is left out. Only how much: a name can be a secret, too. */
export class LeftOut {
  count = 0;
}

/**
 * The part of a value that is on the list. Whatever is not named, or has another form than it should, is left out: a list of what must
 * not leave would forget something.
 */
export function keep(value: unknown, allowed: Allowed, leftOut: LeftOut): unknown {
  const kept = keepIfAny(value, allowed, leftOut);
  if (kept === undefined && value !== undefined && value !== null) leftOut.count++;
  return kept;
}

function keepIfAny(value: unknown, allowed: Allowed, leftOut: LeftOut): unknown {
  if (allowed === 'number') return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
  if (allowed === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (allowed instanceof RegExp || typeof allowed === 'function') {
    return typeof value === 'string' && fits(value, allowed) ? value : undefined;
  }
  if (isList(allowed)) {
    if (!Array.isArray(value)) return undefined;
    leftOut.count += Math.max(0, value.length - MAX_ITEMS);
    return value.slice(0, MAX_ITEMS).flatMap((item) => {
      const kept = keep(item, allowed[0], leftOut);
      return kept === undefined ? [] : [kept];
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const kept: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    const form = Object.hasOwn(allowed, name) ? allowed[name] : undefined;
    if (form === undefined) {
      leftOut.count++;
      continue;
    }
    const part = keep(inner, form, leftOut);
    if (part !== undefined) kept[name] = part;
  }
  return kept;
}

function fits(text: string, form: RegExp | ((text: string) => boolean)): boolean {
  return form instanceof RegExp ? new RegExp(`^(?:${form.source})$`, 'u').test(text) : form(text);
}

const isList = (allowed: Allowed): allowed is readonly [Allowed] => Array.isArray(allowed);
