import { createHash } from 'node:crypto';

import { KiwiError } from '../../src/core/errors.ts';
import { SERVICES, UPGRADE_CODES } from '../../platform/windows/paths.ts';
import { element, type Xml } from '../xml/render-xml.ts';
import { stableGuid } from './stable-guid.ts';

/** What a person can choose: the agent is always there, the window can be left out. */
export type Feature = 'Agent' | 'Window';

export interface PackagedFile {
  /** Where it is now. */
  readonly source: string;
  /** Where it will be, below the folder of the program: `bin/kiwistack-enroll.exe`. */
  readonly target: string;
  readonly feature: Feature;
}

export interface MsiContents {
  readonly version: string;
  readonly files: readonly PackagedFile[];
}

/** Where wixl finds what it packs: it takes no absolute paths. */
export const SOURCES = { icon: 'source/icon.ico', library: 'source/installer.dll' } as const;
export const sourceOf = (target: string): string => `source/${idOf('f', target)}`;

export const UPGRADE_CODE = UPGRADE_CODES['kiwistack-enroll'];
export const PRODUCT = 'KiwiStack Enroll';
export const MAKER = 'KiwiStack contributors';
/** Files that have more to them than being there. */
export const PLACES = {
  helper: 'kiwistack-helper.exe',
  command: 'bin/kiwistack-enroll.exe',
  window: 'window/KiwiStack Enroll.exe',
} as const;

/**
 * Lower-case letters in the name of its folder make it a private property of Windows Installer: nobody can have the service, which runs with all
 * rights, installed into a folder of theirs by an argument of msiexec.
 */
export const FOLDER = 'InstallFolder';
/** Of the whole package, and not by another version that takes its place. */
const IS_REMOVED = '&Agent=2 AND NOT UPGRADINGPRODUCTCODE';

/**
 * The source of the package, for wixl (WiX 3's language). The same contents give the same text.
 * @throws KiwiError `usage` for a version that Windows Installer does not know; `file-unusable` for a name of a file
 */
export function renderWxs({ version, files }: MsiContents): string {
  checkVersion(version);
  const features = (['Agent', 'Window'] as const).filter((one) => files.some(({ feature }) => feature === one));
  const folders = new Folders(files);
  const product: Xml[] = [
    element('Package', {
      InstallerVersion: '500',
      Compressed: 'yes',
      InstallScope: 'perMachine',
      Description: PRODUCT,
      Comments: 'Enrolls this laptop with a customer of KiwiStack',
    }),
    element('Media', { Id: '1', Cabinet: 'files.cab', EmbedCab: 'yes' }),
    element('Condition', { Message: `${PRODUCT} needs Windows 11.` }, ['Installed OR VersionNT64 >= 603']),
    element('Condition', { Message: `A newer version of ${PRODUCT} is installed already. Nothing was changed.` }, [
      'Installed OR NOT NEWERFOUND',
    ]),
    upgrade(version),
    element('Icon', { Id: 'kiwistack.ico', SourceFile: SOURCES.icon }),
    ...Object.entries(PROPERTIES).map(([Id, Value]) => element('Property', { Id, Value })),
    element('Directory', { Id: 'TARGETDIR', Name: 'SourceDir' }, [
      element('Directory', { Id: 'ProgramMenuFolder', Name: 'Programs' }),
      element('Directory', { Id: 'ProgramFiles64Folder', Name: 'PFiles' }, [
        element('Directory', { Id: FOLDER, Name: namesOf(PRODUCT) }, folders.render('')),
      ]),
    ]),
    ...features.toReversed().reduce<Xml[]>((inner, feature) => [renderFeature(feature, files, inner)], []),
    element('Binary', { Id: 'Installer', SourceFile: SOURCES.library }),
    ...customActions(),
  ];
  const code = stableGuid(UPGRADE_CODE, version);
  const attributes = { Id: code, UpgradeCode: UPGRADE_CODE, Version: version, Name: PRODUCT, Manufacturer: MAKER };
  const namespace = 'http://schemas.microsoft.com/wix/2006/wi';
  const root = element('Wix', { xmlns: namespace }, [
    element('Product', { ...attributes, Language: '1033', Codepage: '1252' }, product),
  ]);
  return `<?xml version="1.0" encoding="utf-8"?>\n${root.join('\n')}\n`;
}

const PROPERTIES: Readonly<Record<string, string>> = {
  ARPPRODUCTICON: 'kiwistack.ico',
  // What can be changed about it is to have it or not.
  ARPNOMODIFY: '1',
  // Every file is laid out, whatever the version of the one that is there: the one of the old package is about to be removed.
  REINSTALLMODE: 'amus',
  // Windows is never restarted by it.
  REBOOT: 'ReallySuppress',
};

/** @throws KiwiError `usage` for one that Windows Installer does not know, nor can be compared on macOS */
export function checkVersion(version: string): void {
  const [, major, minor, build] = /^(\d{1,3})\.(\d{1,3})\.(\d{1,5})$/u.exec(version) ?? [];
  if (Number(major) <= 255 && Number(minor) <= 255 && Number(build) <= 65_535) return;
  const detail = `--version: ${version}: a package for Windows or macOS has three numbers, at most 255.255.65535`;
  throw new KiwiError('usage', { detail });
}

/**
 * A higher version takes the place of a lower one, in one transaction: what fails leaves the old one. Never the other way round. `build-msi.ts` writes
 * the other half.
 */
function upgrade(version: string): Xml {
  return element('Upgrade', { Id: UPGRADE_CODE }, [
    element('UpgradeVersion', {
      Minimum: version,
      IncludeMinimum: 'no',
      OnlyDetect: 'yes',
      Property: 'NEWERFOUND',
    }),
  ]);
}

function renderFeature(feature: Feature, files: readonly PackagedFile[], inner: readonly Xml[]): Xml {
  const title = { Agent: PRODUCT, Window: 'Window' }[feature];
  const own = files
    .filter((file) => file.feature === feature)
    .map(({ target }) => target)
    .toSorted();
  const attributes = { Id: feature, Title: title, Level: '1' };
  return element('Feature', attributes, [...own.map((Id) => element('ComponentRef', { Id: idOf('c', Id) })), ...inner]);
}

/** Those in the transaction run as the system; what is refused there has not happened. See native/windows-installer. */
function customActions(): readonly Xml[] {
  const within = { Execute: 'deferred', Impersonate: 'no' };
  const from = (DllEntry: string): Record<string, string> => ({ BinaryKey: 'Installer', DllEntry });
  return [
    element('CustomAction', { Id: 'LookBeforeRemoval', ...from('RefuseRemoval') }),
    element('CustomAction', { Id: 'RefuseRemoval', ...from('RefuseRemoval'), ...within }),
    // The only way to tell one that runs in the transaction where the program is.
    element('CustomAction', { Id: 'SetSayFarewell', Property: 'SayFarewell', Value: `[${FOLDER}]` }),
    element('CustomAction', { Id: 'SayFarewell', ...from('SayFarewell'), ...within, Return: 'ignore' }),
    element('CustomAction', { Id: 'RemoveData', ...from('RemoveData'), ...within, Return: 'ignore' }),
    element('InstallExecuteSequence', {}, [
      element('RemoveExistingProducts', { After: 'InstallInitialize' }),
      element('RemoveEnvironmentStrings', { After: 'RemoveFiles' }),
      element('WriteEnvironmentStrings', { After: 'InstallFiles' }),
      ...chain('InstallValidate', 'LookBeforeRemoval', 'InstallInitialize'),
      ...chain(
        'InstallInitialize',
        'RefuseRemoval',
        'SetSayFarewell',
        'SayFarewell',
        'RemoveData',
        'ProcessComponents',
      ),
    ]),
  ];
}

/** Bound on both sides: wixl sorts others to the end. */
function chain(...names: readonly string[]): readonly Xml[] {
  return names.slice(1, -1).map((Action, index) => {
    const [After = '', , Before = ''] = names.slice(index);
    return element('Custom', { Action, After, Before }, [IS_REMOVED]);
  });
}

/** The tree of folders, with a component for each file: Windows Installer counts and repairs components. */
class Folders {
  readonly #files: readonly PackagedFile[];

  constructor(files: readonly PackagedFile[]) {
    this.#files = files.toSorted((one, other) => (one.target < other.target ? -1 : 1));
    for (const { target } of files) {
      // What is more would need another code page, and escaping in identifiers of Windows Installer.
      if (/^(?:[\w.+@ -]+\/)*[\w.+@ -]+$/u.test(target) && !target.split('/').includes('..')) continue;
      throw new KiwiError('file-unusable', { detail: `the name ${JSON.stringify(target)} cannot be packed` });
    }
  }

  /** @param folder '' or one that ends with `/` */
  render(folder: string): Xml[] {
    const within = this.#files.filter(({ target }) => target.startsWith(folder));
    const names = within.map(({ target }) => target.slice(folder.length).split('/'));
    const inner = [...new Set(names.filter((name) => name.length > 1).map(([first = '']) => first))];
    const own = within.filter((_, index) => names[index]?.length === 1);
    return [
      ...own.map((file) => component(file)),
      ...inner.map((Name) =>
        element(
          'Directory',
          { Id: idOf('d', `${folder}${Name}`), Name: namesOf(Name) },
          this.render(`${folder}${Name}/`),
        ),
      ),
    ];
  }
}

function component({ target }: PackagedFile): Xml {
  const Name = namesOf(target.split('/').at(-1) ?? '');
  const file = element(
    'File',
    { Id: idOf('f', target), Name, Source: sourceOf(target), KeyPath: 'yes' },
    target === PLACES.window ? [shortcut()] : [],
  );
  const more = target === PLACES.helper ? service() : [];
  const attributes = { Id: idOf('c', target), Guid: stableGuid(UPGRADE_CODE, 'file', target), Win64: 'yes' };
  return element('Component', attributes, [file, ...more]);
}

function shortcut(): Xml {
  return element('Shortcut', {
    Id: 'StartMenu',
    Directory: 'ProgramMenuFolder',
    Name: namesOf(PRODUCT),
    Description: 'Enroll this laptop, and see how it is',
    WorkingDirectory: idOf('d', 'window'),
    Icon: 'kiwistack.ico',
    Advertise: 'no',
    Target: `[#${idOf('f', PLACES.window)}]`,
  });
}

function service(): readonly Xml[] {
  const Name = SERVICES.agent;
  return [
    element('ServiceInstall', {
      Id: 'Agent',
      Name,
      DisplayName: 'KiwiStack Enroll',
      Description: 'Keeps this laptop enrolled: renews its certificate, mends its tunnel, and answers the window.',
      Type: 'ownProcess',
      Start: 'auto',
      ErrorControl: 'normal',
      Arguments: 'service',
      Vital: 'yes',
    }),
    element('ServiceControl', {
      Id: 'Agent',
      Name,
      Start: 'install',
      Stop: 'both',
      Remove: 'uninstall',
      Wait: 'yes',
    }),
  ];
}

/** A name as Windows Installer wants it: `SHORT|long` where it is not one of eight and three letters already. */
function namesOf(name: string): string {
  if (/^\w{1,8}(?:\.\w{1,3})?$/u.test(name)) return name;
  const extension = /\.(\w{1,3})\w*$/u.exec(name)?.[1];
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${extension === undefined ? hash : `${hash}.${extension}`}|${name}`;
}

/** An identifier: letters, digits, at most 72, and not depending on the order of files. */
export function idOf(kind: 'c' | 'd' | 'f', target: string): string {
  return `${kind}${createHash('sha256').update(target).digest('hex').slice(0, 24)}`;
}
