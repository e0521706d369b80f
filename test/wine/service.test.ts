import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AGENT_PIPE } from '../../platform/windows/dial-agent.ts';
import { serviceOf, services, startService, stopService, wordsFor } from '../../platform/windows/services.ts';
import { runTool } from '../../platform/windows/system.ts';
import { Wine } from './wine.ts';

const NAME = 'kiwistack-agent';
let wine: Wine;

async function sc(...args: string[]): Promise<void> {
  const { code, stdout } = await runTool(wine, { name: 'sc', args });
  expect(code, `sc ${args.join(' ')}: ${stdout.toString()}`).toBe(0);
}
const log = (): Promise<string> => readFile(path.join(wine.root, 'ProgramData/KiwiStack/Log/agent.log'), 'utf8');

beforeAll(async () => {
  wine = await Wine.make();
});
afterAll(() => wine.destroy());

describe('the service', () => {
  it('is made, started, stopped and removed as on Windows', async () => {
    expect(await serviceOf(wine, NAME)).toBeUndefined();
    const command = `"${wine.inside(path.join(wine.program, 'kiwistack-helper.exe'))}" service`;
    await sc('create', NAME, 'binPath=', command, 'start=', 'auto');
    await startService(wine, NAME);
    await startService(wine, NAME);
    const found = await serviceOf(wine, NAME);
    expect(found).toMatchObject({ state: 4, start: 2, command });
    expect(found && wordsFor(found)).toEqual({ active: 'active', enabled: 'enabled', result: 'success' });
    expect((await services(wine, ['kiwistack-*'])).map(({ name }) => name)).toEqual([NAME]);
  });

  it('answers a caller over its pipe, after it has found out who that is', async () => {
    const { code, stdout } = await wine.helper(['connect', AGENT_PIPE], Buffer.from('{"api":1,"verb":"status"}\n'));
    expect(code).toBe(0);
    expect(JSON.parse(stdout.toString())).toEqual({ type: 'reply', reply: { farewells: [], found: [] } });
    expect(await log()).toMatch(/Z asked verb=status uid=0 pid=\d+\n.*Z answered verb=status uid=0 ms=\d+\n/u);
  });

  it('refuses what is no request, and goes on', async () => {
    for (const text of ['{}\n', 'x'.repeat(70_000), '{"api":1,"verb":"status","more":1}\n']) {
      const { stdout } = await wine.helper(['connect', AGENT_PIPE], Buffer.from(text));
      expect(stdout.toString()).toMatch(/^\{"type":"error","error":\{"code":"agent-answer-invalid"/u);
    }
    expect((await wine.helper(['has-pipe', AGENT_PIPE])).code).toBe(0);
  });

  it('is what the command line asks, where it runs without rights', async () => {
    const { code, stdout } = await wine.node('kiwistack-enroll.js', ['status', '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({ result: 'not-enrolled' });
    expect(code).toBe(3);
    expect((await log()).match(/asked verb=status/gu)?.length).toBeGreaterThan(1);
  });

  it('ends, and its pipe with it', async () => {
    await stopService(wine, NAME);
    expect((await wine.helper(['has-pipe', AGENT_PIPE])).code).toBe(3);
    expect((await wine.helper(['connect', AGENT_PIPE])).code).toBe(3);
    await sc('delete', NAME);
    expect(await serviceOf(wine, NAME)).toBeUndefined();
  });
});

describe('the command line in Node 22', () => {
  it('tells its version and how it is used', async () => {
    expect((await wine.node('kiwistack-enroll.js', ['--version'])).stdout.toString()).toBe('0.1.0\n');
    const help = await wine.node('kiwistack-enroll.js', ['--help']);
    expect([help.code, help.stdout.toString().split('\n')[0]]).toEqual([
      0,
      'Usage: kiwistack-enroll [options] [command]',
    ]);
  });

  it('looks at the laptop itself, where there is no service', async () => {
    const status = await wine.node('kiwistack-enroll.js', ['status', '--json']);
    expect([status.code, JSON.parse(status.stdout.toString())]).toEqual([
      3,
      { type: 'result', result: 'not-enrolled', farewells: [] },
    ]);
  });

  it('examines it, and does not fail at what wine has not', async () => {
    const { code, stdout, stderr } = await wine.node('kiwistack-enroll.js', ['doctor', '--json']);
    const { checks } = JSON.parse(stdout.toString()) as {
      checks: { code: string; state: string; error?: { code: string } }[];
    };
    expect(stderr.toString()).toBe('');
    expect(checks.filter(({ error }) => error?.code === 'internal')).toEqual([]);
    expect(checks.find((check) => check.code === 'programs')).toMatchObject({
      state: 'not-well',
      error: { code: 'tool-missing' },
    });
    expect(code).not.toBe(1);
  });

  it('enrolls nothing without the provider’s root, which it looks for beside itself', async () => {
    await mkdir(path.join(wine.root, 'windows/system32/config'), { recursive: true });
    const { stdout } = await wine.node('kiwistack-enroll.js', ['enroll', '--json']);
    expect(JSON.parse(stdout.toString())).toMatchObject({
      error: {
        code: 'pinned-roots-missing',
        detail: String.raw`C:\Program Files\KiwiStack Enroll\msp-roots.pem does not exist`,
      },
    });
  });
});
