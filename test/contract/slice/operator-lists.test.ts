import { execFile } from 'node:child_process';
import path from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { newLaptop } from '../../fakes/slice/test-laptop.ts';
import { startTestSlice, type TestSlice } from '../../fakes/slice/test-slice.ts';
import { asOperator, consentTo, enrollAndConfirm, type Enrolled } from './enrolling.ts';

const OPERATOR = path.resolve(import.meta.dirname, '../../../src/apps/operator/main.ts');

let slice: TestSlice;
let ada: Enrolled;
let bob: Enrolled;
beforeAll(async () => {
  slice = await startTestSlice();
  const [engineers, sales] = [
    await slice.provision({ serial: 20_000_691 }),
    await slice.provision({ serial: 20_000_692 }, { role: 'sales' }),
  ];
  ada = await enrollAndConfirm(slice, engineers, newLaptop({ hostName: 'ada' }));
  bob = await enrollAndConfirm(slice, sales, newLaptop({ hostName: 'bob' }));
  await asOperator(slice, (operator) => operator.ask('device.lose', { device: 'bob', why: 'left in a train' }));
});
afterAll(() => slice.remove());

const operate = (...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    execFile(process.execPath, [OPERATOR, ...args, '--dir', slice.dir], (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
const namesOf = async (...args: string[]): Promise<unknown[]> => {
  const { stdout } = await operate('device', 'list', ...args, '--json');
  return (JSON.parse(stdout) as { list: { name: unknown }[] }).list.map(({ name }) => name);
};

test('a list is narrowed down, and is a table, JSON or CSV', async () => {
  expect(await namesOf()).toEqual(['ada', 'bob']);
  expect(await namesOf('--state', 'active')).toEqual(['ada']);
  expect(await namesOf('--state', 'lost')).toEqual(['bob']);
  expect(await namesOf('--role', 'engineer', '--since', '1h')).toEqual(['ada']);
  expect(await namesOf('--yubikey', '20000692')).toEqual(['bob']);
  const { stdout } = await operate('device', 'list', '--csv');
  const [names = '', first = '', second = ''] = stdout.split('\r\n');
  expect(names.split(',').slice(0, 4)).toEqual(['name', 'state', 'address', 'role']);
  expect(first).toContain(`ada,active,`);
  expect(second).toContain(bob.grant.deviceId);
  expect(await operate('device', 'list', '--csv', '--json')).toMatchObject({ code: 2 });
  expect((await operate('audit', 'list', '--csv')).stdout).toContain('device.lost');
});

test('a laptop has another name among operators, in every command, and after it was enrolled again', async () => {
  expect((await operate('device', 'rename', 'ada', "Ada's laptop")).stdout).toBe("ada is called Ada's laptop.\n");
  expect((await operate('device', 'list')).stdout).toContain("Ada's laptop (ada)");
  expect((await operate('device', 'show', "Ada's laptop")).stdout).toContain(ada.grant.deviceId);
  for (const taken of ["Ada's laptop", 'ada']) {
    expect(await operate('device', 'rename', 'bob', taken)).toMatchObject({ code: 2 });
  }
  const key = await slice.provision({ serial: 20_000_693 });
  await consentTo(slice, "Ada's laptop");
  const again = await enrollAndConfirm(slice, key, newLaptop({ ...ada.laptop }));
  expect((await operate('device', 'show', "Ada's laptop")).stdout).toContain(again.grant.deviceId);
  expect((await operate('device', 'rename', 'ada')).stdout).toBe('ada is called ada.\n');
  expect((await operate('device', 'list')).stdout).not.toContain("Ada's laptop (ada)");
});
