import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { LinuxClaimScreens } from '../../../../platform/linux/claim-screens.ts';
import { PATHS } from '../../../../platform/linux/paths.ts';
import { CLAIM_STAND } from '../../../../src/local-api/claim-stand.ts';
import { FakeLinux } from './fake-linux.ts';

let machine: FakeLinux;
let screens: LinuxClaimScreens;
beforeEach(async () => {
  machine = await FakeLinux.make();
  screens = new LinuxClaimScreens(machine);
  await machine.install('/usr/sbin/agetty');
});
afterEach(() => machine.destroy());

it('the lines are above the prompts, which are drawn anew, and gone without lines', async () => {
  await screens.prompt(['One.', 'Two.']);
  expect(await machine.read(PATHS.claimIssue)).toBe('One.\nTwo.\n\n');
  expect(await machine.files('/run')).toEqual([
    '/run/kiwistack-enroll/ 0755',
    '/run/kiwistack-enroll/claim.issue 0644',
  ]);
  await screens.prompt([]);
  await screens.prompt([]);
  expect(await machine.files('/run')).toEqual(['/run/kiwistack-enroll/ 0755']);
  expect(machine.ran).toEqual(Array.from({ length: 3 }, () => 'agetty --reload'));
});

it('nothing in a line is interpreted, and it stays one line', async () => {
  await screens.prompt(['A\\n \\e{red} & \\\\', 'B\u001b[2J\r\nC\u0000\u202eD ö', 'x'.repeat(5000)]);
  const [first, second, third] = (await machine.read(PATHS.claimIssue))?.split('\n') ?? [];
  expect(first).toBe('A\\\\n \\\\e{red} & \\\\\\\\');
  expect(second).toBe('B [2J C D ö');
  expect(third).toHaveLength(300);
});

it('the window reads the stand where it looks for it, in a folder that everybody may enter', async () => {
  expect(PATHS.claimStand).toBe(CLAIM_STAND);
  await screens.window('{"state":"working"}');
  await screens.window('{"state":"claimed"}');
  expect(await machine.read(PATHS.claimStand)).toBe('{"state":"claimed"}');
  expect(await machine.files('/run')).toContain('/run/kiwistack-enroll/claim.json 0644');
  await screens.window(undefined);
  await screens.window(undefined);
  expect(await machine.files('/run')).toEqual(['/run/kiwistack-enroll/ 0755']);
});

it('the folder of the agent’s socket stays as it is, and without agetty nothing is run', async () => {
  await mkdir(path.join(machine.root, 'run/kiwistack-enroll'), { recursive: true, mode: 0o750 });
  await writeFile(path.join(machine.root, 'run/kiwistack-enroll/agent.socket'), '');
  await machine.remove('/usr/sbin/agetty');
  await screens.prompt(['One.']);
  expect(await machine.files('/run')).toContain('/run/kiwistack-enroll/ 0750');
  expect(machine.ran).toEqual([]);
});
