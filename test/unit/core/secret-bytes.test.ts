import { format, inspect } from 'node:util';

import { describe, expect, it } from 'vitest';

import { SecretBytes } from '../../../src/core/secret-bytes.ts';

const PIN = '271828';

describe('a secret', () => {
  it.each<[string, (secret: SecretBytes) => string]>([
    ['a template', (secret) => `${secret.toString()} ${String(secret)}`],
    ['JSON', (secret) => JSON.stringify({ secret, list: [secret] })],
    ['the inspector', (secret) => inspect({ secret }, { depth: 9, showHidden: true })],
    ['a format string', (secret) => format('%s %o %O %j', secret, secret, secret, secret)],
    ['its own properties', (secret) => JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret)])],
    ['an error that carries it', (secret) => inspect(new Error('x', { cause: secret }))],
  ])('does not show in %s', (_where, show) => {
    const secret = new SecretBytes(Buffer.from(PIN));
    const shown = show(secret);
    expect(shown).not.toContain(PIN);
    for (const form of ['hex', 'base64'] as const) expect(shown).not.toContain(Buffer.from(PIN).toString(form));
    expect(shown).not.toMatch(/32 37 31|50,\s*55,\s*49/); // the bytes one by one, as the inspector and JSON show buffers
  });

  it('gives its bytes and their number until it is cleared', () => {
    const secret = new SecretBytes(Buffer.from(PIN));
    expect(secret.bytes.toString()).toBe(PIN);
    expect(secret).toHaveLength(6);
  });

  it('overwrites the one buffer when it is cleared, and is gone after it', () => {
    const buffer = Buffer.from(PIN);
    const secret = new SecretBytes(buffer);
    secret.clear();
    secret.clear();
    expect(buffer.equals(Buffer.alloc(6))).toBe(true);
    expect(() => secret.bytes).toThrow(TypeError);
    expect(() => secret.length).toThrow(TypeError);
    expect(secret.toString()).toBe('[secret]');
  });
});
