import path from 'node:path';

import type { Command } from 'commander';

import { EXIT } from '../../core/error-codes.ts';
import { readSliceConfig } from '../../slice/config/slice-config.ts';
import { slicePaths } from '../../slice/config/slice-paths.ts';
import { PackageShelf } from '../../slice/welcome/package-shelf.ts';
import { carryOut } from '../../terminal/carry-out.ts';
import { printAnswer } from '../../terminal/report.ts';
import type { CommandContext, SliceFlags } from './command-context.ts';

/** `packages`: what the gateway's page offers to people. It takes effect at once, while the slice runs too. */
export function addPackagesCommands(program: Command, { clock }: CommandContext): void {
  const packages = program.command('packages').description("What the gateway's page offers to people for download");
  const onSlice = (command: Command): Command =>
    command
      .requiredOption('--dir <folder>', 'folder of the slice')
      .option('--json', 'print one line of JSON; fields are added, never removed');
  onSlice(packages.command('add <file>'))
    .description('Copy a package (.deb, .msi, .pkg) to the slice; one of the same name is replaced')
    .action((file: string, flags: SliceFlags) =>
      carryOut(flags.json === true, async () => {
        const added = await (await shelfOf(flags)).add(file, clock.now());
        printAnswer(flags, 'added', added, [
          `The gateway's page offers ${added.name} (${added.size} bytes) now. SHA-256: ${added.sha256}`,
        ]);
        return EXIT.done;
      }),
    );
  onSlice(packages.command('list'))
    .description('List the packages, with their hashes')
    .action((flags: SliceFlags) =>
      carryOut(flags.json === true, async () => {
        const listed = await (await shelfOf(flags)).list();
        printAnswer(
          flags,
          'listed',
          { packages: listed },
          listed.length === 0
            ? ['There is none.']
            : listed.map(({ name, system, size, sha256 }) => `${name}  ${system}  ${size} bytes  ${sha256}`),
        );
        return EXIT.done;
      }),
    );
  onSlice(packages.command('release <manifest>'))
    .description("Hand the provider's signed update manifest on to laptops; its packages have to be there")
    .action((file: string, flags: SliceFlags) =>
      carryOut(flags.json === true, async () => {
        const { version, rollout, expiresAt } = await (await shelfOf(flags)).release(file);
        printAnswer(flags, 'released', { version, rollout, expiresAt }, [
          `Laptops are offered version ${version} now: ${rollout} % of them, until ${expiresAt}.`,
        ]);
        return EXIT.done;
      }),
    );
  onSlice(packages.command('remove <name>'))
    .description('Take a package away')
    .action((name: string, flags: SliceFlags) =>
      carryOut(flags.json === true, async () => {
        await (await shelfOf(flags)).remove(name);
        printAnswer(flags, 'removed', { name }, [`${name} is not offered any more.`]);
        return EXIT.done;
      }),
    );
}

/** @throws KiwiError when the folder is not a slice's */
async function shelfOf({ dir }: SliceFlags): Promise<PackageShelf> {
  await readSliceConfig(dir);
  return new PackageShelf(slicePaths(path.resolve(dir)).packages);
}
