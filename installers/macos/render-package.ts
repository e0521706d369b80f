import { element } from '../xml/render-xml.ts';

export interface Component {
  /** Of its receipt. */
  readonly identifier: string;
  /** Its folder in the package, and what a choice is called. */
  readonly name: string;
  readonly title: string;
  readonly installLocation: string;
  readonly files: number;
  readonly kibibytes: number;
  /** With preinstall and postinstall. */
  readonly scripts: boolean;
}

const HEAD = '<?xml version="1.0" encoding="utf-8"?>\n';

/** What the installer has to know of a component: `PackageInfo` of a flat package. */
export function renderPackageInfo(component: Component, version: string): string {
  const { identifier, installLocation, files, kibibytes, scripts } = component;
  const payload = { numberOfFiles: files.toString(), installKBytes: kibibytes.toString() };
  const attributes = {
    'format-version': '2',
    identifier,
    version,
    'install-location': installLocation,
    auth: 'root',
    // Folders of macOS keep their owners and rights, and an application that a person has moved is not followed.
    'overwrite-permissions': 'false',
    relocatable: 'false',
    'postinstall-action': 'none',
  };
  const run = ['preinstall', 'postinstall'].map((file) => element(file, { file: `./${file}` }));
  const info = element('pkg-info', attributes, [
    element('payload', payload),
    ...(scripts ? [element('scripts', {}, run)] : []),
  ]);
  return `${HEAD}${info.join('\n')}\n`;
}

export interface Product {
  readonly title: string;
  readonly version: string;
  /** The first has to be installed, the others can be left out. */
  readonly components: readonly Component[];
  /** As Apple names them: `arm64`. */
  readonly architecture: string;
  readonly minimumSystem: string;
}

/** What the installer shows and asks: `Distribution` of a product archive. It has no script, so nothing of it runs before a person agrees. */
export function renderDistribution({ title, version, components, architecture, minimumSystem }: Product): string {
  const script = element('installer-gui-script', { minSpecVersion: '2' }, [
    element('title', {}, [title]),
    element('options', {
      customize: components.length > 1 ? 'allow' : 'never',
      'require-scripts': 'false',
      rootVolumeOnly: 'true',
      hostArchitectures: architecture,
    }),
    element('domains', {
      enable_anywhere: 'false',
      enable_currentUserHome: 'false',
      enable_localSystem: 'true',
    }),
    element('volume-check', { script: 'true' }, [
      element('allowed-os-versions', {}, [element('os-version', { min: minimumSystem })]),
    ]),
    element(
      'choices-outline',
      {},
      components.map(({ name }) => element('line', { choice: name })),
    ),
    ...components.map(({ name, title: said, identifier }, index) =>
      element('choice', { id: name, title: said, ...(index === 0 ? { enabled: 'false' } : {}) }, [
        element('pkg-ref', { id: identifier }),
      ]),
    ),
    ...components.map(({ identifier, name, kibibytes }) =>
      element('pkg-ref', { id: identifier, version, auth: 'Root', installKBytes: kibibytes.toString() }, [
        `#${name}.pkg`,
      ]),
    ),
  ]);
  return `${HEAD}${script.join('\n')}\n`;
}
