import type { Distribution } from './distributions.ts';
import { uuidOf } from './uuid-of.ts';

/** A package of the distribution, or ours, as dpkg knows it. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly source: string;
  readonly sourceVersion: string;
  readonly maintainer: string;
}

/** A library in one of our programs, or Node itself. */
export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

export interface Bill {
  readonly title: string;
  readonly version: string;
  readonly distribution: Distribution;
  readonly packages: readonly InstalledPackage[];
  readonly bundled: readonly BundledPackage[];
  /** SHA-256 of the list of contents. */
  readonly contents: string;
  readonly epochSeconds: number;
}

/** CycloneDX 1.5, JSON (ECMA-424): what an image is made of. The same image gives the same text. */
export function renderSbom(bill: Bill): string {
  const { title, version, distribution, packages, bundled, contents, epochSeconds } = bill;
  const image = `image:${title}@${version}`;
  const components = packages.map((found) => debianComponent(found, distribution, bundled));
  const system = `os:${distribution.id}@${distribution.version}`;
  const text = {
    $schema: 'http://cyclonedx.org/schema/bom-1.5.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    serialNumber: `urn:uuid:${uuidOf(`${image}\n${contents}\n${epochSeconds.toString()}`)}`,
    version: 1,
    metadata: {
      timestamp: new Date(epochSeconds * 1000).toISOString(),
      tools: { components: [{ type: 'application', name: 'kiwistack-enroll installers/image', version }] },
      component: {
        type: 'operating-system',
        'bom-ref': image,
        name: title,
        version,
        properties: [{ name: 'kiwistack:contents-sha256', value: contents }],
      },
    },
    components: [
      { type: 'operating-system', 'bom-ref': system, name: distribution.id, version: distribution.version },
      ...components,
    ],
    dependencies: [{ ref: image, dependsOn: [system, ...components.map((component) => component['bom-ref'])] }],
  };
  return `${JSON.stringify(text, undefined, 1)}\n`;
}

interface Component {
  readonly type: string;
  readonly 'bom-ref': string;
  readonly name: string;
  readonly version: string;
  readonly [more: string]: unknown;
}

function debianComponent(
  { name, version, architecture, source, sourceVersion, maintainer }: InstalledPackage,
  { id, version: release }: Distribution,
  bundled: readonly BundledPackage[],
): Component {
  const ours = name === 'kiwistack-enroll';
  // https://github.com/package-url/purl-spec, type deb. Ours comes from no archive of the distribution.
  const qualifiers = `arch=${architecture}${ours ? '' : `&distro=${id}-${release}`}`;
  const purl = `pkg:deb/${ours ? 'kiwistack' : id}/${encodeURIComponent(name)}@${purlVersion(version)}?${qualifiers}`;
  const parts = bundled.map((part) => bundledComponent(part, name));
  return {
    type: ours ? 'application' : 'library',
    'bom-ref': purl,
    name,
    version,
    purl,
    supplier: { name: maintainer },
    properties: [{ name: 'kiwistack:source', value: `${source} ${sourceVersion}` }],
    ...(ours && parts.length > 0 ? { components: parts } : {}),
  };
}

function bundledComponent({ name, version, license }: BundledPackage, inside: string): Component {
  const isNode = name === 'Node.js';
  const purl = isNode
    ? `pkg:generic/node@${purlVersion(version)}`
    : `pkg:npm/${name.split('/').map(encodeURIComponent).join('/')}@${purlVersion(version)}`;
  return {
    type: isNode ? 'application' : 'library',
    'bom-ref': `${inside}/${purl}`,
    name,
    version,
    purl,
    // A free text: what package.json says is no list of SPDX names.
    licenses: [{ license: { name: license } }],
  };
}

/** Percent-encoded, but for what a version is full of (purl-spec, "How to build purl string"). */
const purlVersion = (version: string): string => encodeURIComponent(version).replaceAll('%3A', ':');
