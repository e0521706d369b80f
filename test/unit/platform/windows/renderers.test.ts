import { readFileSync } from 'node:fs';
import path from 'node:path';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { renderAgentCommand } from '../../../../platform/windows/fleet-settings.ts';
import { readListing, renderRegistration } from '../../../../platform/windows/registry.ts';
import { PIPE_SECURITY, readSecurity, renderSecurity } from '../../../../platform/windows/sddl.ts';
import { recoveryArguments } from '../../../../platform/windows/services.ts';
import { renderNameRule } from '../../../../platform/windows/tunnel/nrpt.ts';
import { recentLines } from '../../../../src/laptop/fleet-agent/recent-lines.ts';

const dns = { servers: ['10.77.1.30', '10.77.1.31'], domains: ['corp.example', 'acme.test'] };

describe('the rule for names', () => {
  it('is this registration file', async () => {
    const rule = renderNameRule('kiwi-acme', dns);
    await expect(renderRegistration(rule ?? {})).toMatchFileSnapshot('golden/name-rule.reg');
  });

  it('is none without servers or domains: it would be one for every name', () => {
    expect(renderNameRule('kiwi-acme', { ...dns, servers: [] })).toBeUndefined();
    expect(renderNameRule('kiwi-acme', { ...dns, domains: [] })).toBeUndefined();
  });

  it.each(['', 'corp example', 'corp.example"', 'corp\n.example', '*'])('takes no domain %j', (name) => {
    expect(() => renderNameRule('kiwi-acme', { ...dns, domains: [name] })).toThrow(TypeError);
  });

  it.each(['10.77.1.30;1.1.1.1', 'fe80::1', ''])('takes no server %j', (server) => {
    expect(() => renderNameRule('kiwi-acme', { ...dns, servers: [server] })).toThrow(TypeError);
  });
});

describe('a registration file', () => {
  it.each(['HKEY_CURRENT_USER\\a', 'HKEY_LOCAL_MACHINE\\a]\r\n[b', 'HKEY_LOCAL_MACHINE\\[', 'HKEY_LOCAL_MACHINE'])(
    'takes no key %j',
    (key) => {
      expect(() => renderRegistration({ [key]: {} })).toThrow(TypeError);
    },
  );

  it('has one line for a value, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        let text: string;
        try {
          text = renderRegistration({ 'HKEY_LOCAL_MACHINE\\a': { b: value } });
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          return;
        }
        expect(text.split('\r\n')).toHaveLength(7);
      }),
    );
  });

  it('is listed again with keys, names and values that have blanks', () => {
    const text = '\r\nHKEY_LOCAL_MACHINE\\A B\r\n    C D    REG_SZ    e  f    g\r\n    H    REG_SZ    \r\n\r\n';
    expect(readListing(text)).toEqual(
      new Map([
        [
          'HKEY_LOCAL_MACHINE\\A B',
          new Map([
            ['C D', 'e  f    g'],
            ['H', ''],
          ]),
        ],
      ]),
    );
  });
});

describe('rights', () => {
  it('of what is secret are the system’s and administrators’', () => {
    expect(renderSecurity('file', 0o600)).toBe('O:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)');
    expect(renderSecurity('folder', 0o700)).toBe('O:BAD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)');
    expect(renderSecurity('file', 0o644)).toBe('O:BAD:PAI(A;;FA;;;SY)(A;;FA;;;BA)(A;;0x1200a9;;;BU)');
  });

  it.each([0o600, 0o644])('of mode %o are read again as they were written', (mode) => {
    expect(readSecurity(renderSecurity('file', mode))).toEqual({ ownedByUs: true, owner: 'BA', mode });
  });

  it.each([
    ['everybody may write', 'O:BAD:(A;;FA;;;WD)', 0o666],
    ['everybody may write by a number', 'O:BAD:(A;;0x1f01ff;;;WD)', 0o666],
    ['users may add to it', 'O:BAD:(A;;0x100004;;;BU)', 0o622],
    ['users may change who may', 'O:BAD:(A;;WD;;;BU)', 0o622],
    ['users may delete it', 'O:BAD:(A;;SD;;;BU)', 0o622],
    ['users may look at its rights', 'O:BAD:(A;;RC;;;BU)', 0o600],
    ['users are denied it', 'O:BAD:(D;;FA;;;BU)(A;;FA;;;SY)', 0o600],
    ['there is no list: everybody may do everything', 'O:BA', 0o677],
    ['the list is absent', 'O:BAD:NO_ACCESS_CONTROL', 0o677],
    ['there is an entry with a condition', 'O:BAD:(XA;;FR;;;BU;(WIN://SYSAPPID Contains "x"))', 0o677],
    ['there are rights by names that are not known', 'O:BAD:(A;;QQ;;;BU)', 0o677],
  ])('are open where %s', (_, text, mode) => {
    expect(readSecurity(text).mode).toBe(mode);
  });

  it('are ours only by system, Administrators, Windows’ installer and ourselves', () => {
    expect(readSecurity('O:S-1-5-21-1-2-3-1001D:').ownedByUs).toBe(false);
    expect(readSecurity('O:S-1-5-21-1-2-3-1001D:', 'S-1-5-21-1-2-3-1001').ownedByUs).toBe(true);
    expect(readSecurity('O:BUD:').ownedByUs).toBe(false);
    expect(readSecurity('D:').ownedByUs).toBe(false);
  });

  it('of the pipe are those that the service sets', () => {
    const header = path.join(import.meta.dirname, '../../../../native/windows-helper/service.h');
    expect(readFileSync(header, 'utf8')).toContain(`#define AGENT_PIPE_SDDL L"${PIPE_SECURITY}"`);
  });
});

describe('the command of the Fleet agent', () => {
  const places = {
    orbit: String.raw`C:\Program Files\Orbit`,
    log: String.raw`C:\Windows\System32\config\orbit-osquery.log`,
    secret: String.raw`C:\ProgramData\KiwiStack\Fleet\secret.txt`,
    certificate: String.raw`C:\ProgramData\KiwiStack\Fleet\fleet.pem`,
  };
  const settings = { writtenBy: 'kiwistack-enroll', enableScripts: true, disableUpdates: true } as const;

  it('names the file of the secret, and not the secret', async () => {
    const command = renderAgentCommand({ ...settings, url: 'https://fleet.acme.test' }, places);
    await expect(`${command}\n`).toMatchFileSnapshot('golden/fleet-command.txt');
  });

  it.each(['https://a"b', 'https://a\\', 'https://a\nb'])('takes no address %j', (url) => {
    expect(() => renderAgentCommand({ ...settings, url }, places)).toThrow(TypeError);
  });
});

it('the service manager is told to restart a service that failed', async () => {
  const lines = recoveryArguments('WireGuardTunnel$kiwi-acme').map((args) => `sc.exe ${args.join(' ')}\n`);
  await expect(lines.join('')).toMatchFileSnapshot('golden/recovery.txt');
});

it('of a log only what is recent is read, with the lines that belong to it', () => {
  const text = '2026-11-21T10:00:00Z old\n  of it\n2026-11-21T12:00:00.5+01:00 new\n  of it\nx\n';
  expect(recentLines(text, Date.UTC(2026, 10, 21, 11))).toBe('2026-11-21T12:00:00.5+01:00 new\n  of it\nx\n');
});
