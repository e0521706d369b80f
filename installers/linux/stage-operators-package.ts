import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { renderFields, type ControlValues } from './render-control.ts';
import { sharedLibraryDependencies } from './shared-libraries.ts';
import { stageProgram, tidyProgram, type ProgramStaging } from './stage-program.ts';
import { gzip, installedKib, putInto, tidyTree } from './stage-tree.ts';
import { commandTree } from './documents/command-tree.ts';
import { OPERATORS_PACKAGES, type OperatorsPackageName } from './operators-packages.ts';
import { renderBashCompletion } from './documents/render-bash-completion.ts';
import { renderManPage } from './documents/render-man-page.ts';
import { renderZshCompletion } from './documents/render-zsh-completion.ts';

const HERE = path.join(import.meta.dirname, 'operators');

export interface OperatorsStaging extends Omit<ControlValues, 'installedKib' | 'sharedLibraries'> {
  readonly name: OperatorsPackageName;
  /** An empty folder, to become the package's tree. */
  readonly root: string;
  /** The folder that installers/build/bundle.ts wrote. */
  readonly app: string;
  readonly epochSeconds: number;
}

/** Lays out the tree that dpkg-deb packs: every file with its mode and time, DEBIAN/ included. */
export async function stageOperatorsPackage(staging: OperatorsStaging): Promise<void> {
  const { name, root, app, version, architecture, epochSeconds, kind } = staging;
  const made = OPERATORS_PACKAGES[name];
  const put = putInto(root);
  const ours = (file: string): Promise<string> => readFile(path.join(HERE, file), 'utf8');
  const program: ProgramStaging = {
    ...{ root, name, app, version, epochSeconds, launcher: made.launcher, programs: [] },
    copyright: (await ours('copyright')).replaceAll('@NAME@', name),
  };
  const binaries = await stageProgram(program);
  const nodes = commandTree(made.program());
  await put(`usr/share/bash-completion/completions/${name}`, renderBashCompletion(name, nodes));
  await put(`usr/share/zsh/vendor-completions/_${name}`, renderZshCompletion(name, nodes));
  await put(`usr/share/man/man8/${name}.8.gz`, gzip(renderManPage(await ours(`${name}.8`), nodes, { epochSeconds })));
  await put(`usr/share/lintian/overrides/${name}`, (await ours('lintian-overrides')).replaceAll('@NAME@', name));
  for (const unit of made.units) await put(`usr/lib/systemd/system/${unit}`, await ours(unit));
  await tidyProgram(program);
  const size = await installedKib(root);
  // What is loaded only when somebody signs in over the network is recommended, and not needed.
  const needed = binaries.filter((file) => !made.optional.includes(path.basename(file)));
  const sharedLibraries = await sharedLibraryDependencies(needed);
  for (const script of made.scripts) await put(`DEBIAN/${script}`, await ours(`${name}/${script}`), 0o755);
  const control = renderFields({
    ...{ name, version, architecture, installedKib: size, section: 'admin' },
    depends: [...made.depends, ...sharedLibraries],
    more: [`Recommends: ${made.recommends.join(', ')}`, `Suggests: ${made.suggests.join(', ')}`],
    description:
      kind === 'test' ? [...made.description, '', 'THIS IS A TEST BUILD. Not for real use.'] : made.description,
  });
  await put('DEBIAN/control', control);
  await tidyTree(path.join(root, 'DEBIAN'), epochSeconds);
}
