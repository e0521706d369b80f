import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { ERROR_CODES, type ErrorEntry } from '../../../src/core/error-codes.ts';
import { PLACEHOLDER_SERIALS, SHARED_UUIDS } from '../../../src/laptop/fingerprint/known-placeholders.ts';
import { isPlaceholderSerial, isPlaceholderUuid } from '../../../src/laptop/fingerprint/placeholder.ts';
import { hashToCurvePoint, WIREGUARD_KEY_DST, WIREGUARD_KEY_LABEL } from '../../../src/laptop/tunnel/wireguard-key.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { LIMITS, MEDIA, TYP } from '../../../src/protocol/common.ts';
import { COMPONENT_KINDS } from '../../../src/protocol/fingerprint.ts';
import * as examples from '../protocol/examples.ts';

const root = path.join(import.meta.dirname, '../../..');
const text = readFileSync(path.join(root, 'docs/protocol.md'), 'utf8');

/** Names of all members of a message, at any depth; not the keys that are values themselves. */
function names(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(names);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...names(inner)]);
}

describe('docs/protocol.md', () => {
  it('names every field of every message', () => {
    const {
      hello,
      challenge,
      statement,
      grant,
      confirm,
      statusRequest,
      renewal,
      renewed,
      leave,
      deviceStatus,
      publicError,
    } = examples;
    for (const message of [
      hello,
      challenge,
      statement,
      grant,
      confirm,
      statusRequest,
      renewal,
      renewed,
      leave,
      deviceStatus,
      publicError,
    ]) {
      for (const name of names(message)) expect(text).toMatch(new RegExp(`\\b${name}\\b`));
    }
  });

  it('names every typ, content type, size, role and kind of component', () => {
    const expected = [
      ...Object.values(TYP),
      ...Object.values(MEDIA),
      ...Object.values(LIMITS).map(String),
      EKU.gateway,
      EKU.enrollmentKey,
      EKU.clientAuth,
      ...COMPONENT_KINDS,
      WIREGUARD_KEY_LABEL,
      WIREGUARD_KEY_DST,
      hashToCurvePoint().toString('hex'),
    ];
    expect(expected.filter((part) => !text.includes(part))).toEqual([]);
  });

  it('says where every code that the gateway answers with comes from', () => {
    const wire = Object.entries<ErrorEntry>(ERROR_CODES).filter(([, { http }]) => http !== undefined);
    const missing = wire.map(([code]) => code).filter((code) => !text.includes(`\`${code}\``));
    // Where it comes from is that nobody knows.
    expect(missing).toEqual(['internal']);
  });

  it('lists every placeholder of the code and no other', () => {
    const listed = (/```text\n(.*?)```/s.exec(text)?.[1] ?? '').split(/\s*\|\s*/).map((value) => value.trim());
    expect(listed.filter((value) => !isPlaceholderSerial(value))).toEqual([]);
    expect(PLACEHOLDER_SERIALS.filter((value) => value !== '').toSorted()).toEqual(listed.toSorted());
    for (const uuid of SHARED_UUIDS) {
      expect(isPlaceholderUuid(uuid)).toBe(true);
      expect(text).toContain(uuid);
    }
    expect(SHARED_UUIDS.length).toBeGreaterThan(5);
  });

  it('names every file of vectors', () => {
    const files = readdirSync(path.join(root, 'test/vectors')).filter((name) => name.endsWith('.json'));
    expect(files.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
    expect(files.filter((name) => name.startsWith('refused-'))).toHaveLength(15);
  });

  it('points at headings that are there', () => {
    const slugs = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, target = ''] of text.matchAll(/\]\(#([^)]+)\)/g)) expect(slugs).toContain(target);
  });
});
