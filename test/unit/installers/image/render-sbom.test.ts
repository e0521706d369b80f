import { describe, expect, test } from 'vitest';
import { z } from 'zod';

import { DISTRIBUTIONS } from '../../../../installers/image/distributions.ts';
import { renderSbom, type Bill } from '../../../../installers/image/render-sbom.ts';

/** The parts of bom-1.5.schema.json that are used: required members, patterns, and no member that it does not know. */
const property = z.strictObject({ name: z.string(), value: z.string() });
const license = z.strictObject({ license: z.strictObject({ name: z.string() }) });
const component = z.strictObject({
  type: z.enum(['application', 'framework', 'library', 'container', 'platform', 'operating-system', 'device', 'file']),
  'bom-ref': z.string().min(1),
  name: z.string().min(1),
  version: z.string().min(1),
  purl: z
    .string()
    .regex(/^pkg:[a-z]+\/(?:[^/@?#]+\/)?[^/@?#]+@[^/@?#]+(?:\?[a-z]+=[^&]+(?:&[a-z]+=[^&]+)*)?$/u)
    .optional(),
  supplier: z.strictObject({ name: z.string() }).optional(),
  licenses: z.array(license).optional(),
  properties: z.array(property).optional(),
  get components() {
    return z.array(component).optional();
  },
});
const bom = z.strictObject({
  $schema: z.literal('http://cyclonedx.org/schema/bom-1.5.schema.json'),
  bomFormat: z.literal('CycloneDX'),
  specVersion: z.literal('1.5'),
  serialNumber: z.string().regex(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/u),
  version: z.literal(1),
  metadata: z.strictObject({
    timestamp: z.iso.datetime(),
    tools: z.strictObject({
      components: z.array(z.strictObject({ type: z.string(), name: z.string(), version: z.string() })),
    }),
    component,
  }),
  components: z.array(component),
  dependencies: z.array(z.strictObject({ ref: z.string(), dependsOn: z.array(z.string()) })),
});

const distribution = DISTRIBUTIONS['debian-12'];
if (distribution === undefined) throw new Error('no Debian 12');
const bill: Bill = {
  ...{ title: 'kiwistack-base_0.1.0_debian-12_amd64', version: '0.1.0', distribution, contents: 'ab'.repeat(32) },
  epochSeconds: 1_795_000_000,
  packages: [
    installed('dbus', '1.14.10-1~deb12u1'),
    installed('libstdc++6', '12.2.0-14'),
    installed('pcscd', '1:1.9.9-2'),
    installed('kiwistack-enroll', '0.1.0'),
  ],
  bundled: [
    { name: '@noble/curves', version: '2.4.0', license: 'MIT' },
    { name: 'Node.js', version: '24.21.0', license: 'MIT, and those of what is part of it' },
  ],
};

function installed(name: string, version: string): Bill['packages'][number] {
  return {
    name,
    version,
    architecture: 'amd64',
    source: name,
    sourceVersion: version,
    maintainer: 'Somebody <a@b.example>',
  };
}

describe('the list of components', () => {
  const read = bom.parse(JSON.parse(renderSbom(bill)));

  test('names packages as the package-url specification has them', () => {
    expect(read.components.map(({ purl }) => purl)).toEqual([
      undefined,
      'pkg:deb/debian/dbus@1.14.10-1~deb12u1?arch=amd64&distro=debian-12',
      'pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64&distro=debian-12',
      'pkg:deb/debian/pcscd@1:1.9.9-2?arch=amd64&distro=debian-12',
      'pkg:deb/kiwistack/kiwistack-enroll@0.1.0?arch=amd64',
    ]);
  });

  test('has the libraries of our programs in our package, and its Node', () => {
    const parts = read.components.at(-1)?.components ?? [];
    expect(parts.map(({ purl }) => purl)).toEqual(['pkg:npm/%40noble/curves@2.4.0', 'pkg:generic/node@24.21.0']);
  });

  test('refers to nothing that it does not have, and to nothing twice', () => {
    const nested = read.components.flatMap((one) => [one, ...(one.components ?? [])]);
    const refs = [read.metadata.component, ...nested].map((one) => one['bom-ref']);
    expect(new Set(refs).size).toBe(refs.length);
    for (const { ref, dependsOn } of read.dependencies) {
      for (const one of [ref, ...dependsOn]) expect(refs).toContain(one);
    }
  });

  test('is the same for the same image, and has another number for another one', () => {
    expect(renderSbom(bill)).toBe(renderSbom(bill));
    const other = bom.parse(JSON.parse(renderSbom({ ...bill, contents: 'cd'.repeat(32) })));
    expect(other.serialNumber).not.toBe(read.serialNumber);
  });
});
