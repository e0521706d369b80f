import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { verifyApple } from '../../installers/macos/sign-code.ts';
import { agentJob, mendJob } from '../../platform/macos/jobs.ts';
import { nodeHeaders } from '../../installers/build/make-native.ts';
import { makeMacPrograms } from './mac-programs.ts';
import { readMachO, type Program } from './read-mach-o.ts';
import { dist, PROJECT, run, sha256, WHOLE_APP } from './run-dist.ts';

const PYTHON = path.join(PROJECT, '.cache/apple-code/bin/python3');
const BSDTAR = '/usr/bin/bsdtar';
const JIT = 'com.apple.security.cs.allow-jit';
const builder = createRequire(path.join(PROJECT, 'node_modules/app-builder-lib/package.json'));
const { listPackage } = builder('@electron/asar') as { listPackage: (file: string, options: object) => string[] };
const MAKE_KEYS = `
import sys
from apple_platform import certificates
for profile in ("developer-id-application", "developer-id-installer"):
    certificates.generate_self_signed("KiwiStack Test", profile=profile, team_id="KIWI123456").write_pem_bundle(f"{sys.argv[1]}/{profile}.pem")
`;

let folder: string;
let programs: string;
let keys: Record<string, string>;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kiwi-macos-'));
  programs = await makeMacPrograms(folder);
  await run(PYTHON, ['-c', MAKE_KEYS, folder]);
  keys = {
    KIWISTACK_APPLE_APPLICATION_KEY: path.join(folder, 'developer-id-application.pem'),
    KIWISTACK_APPLE_INSTALLER_KEY: path.join(folder, 'developer-id-installer.pem'),
  };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const tool = { python: PYTHON };
const refused = (why: RegExp): object =>
  expect.objectContaining({ code: 'file-unusable', detail: expect.stringMatching(why) as string }) as object;

async function unpacked(archive: string): Promise<string> {
  const place = await mkdtemp(path.join(folder, 'unpacked-'));
  await run(BSDTAR, ['-xf', archive, '-C', place]);
  return place;
}

async function flip(file: string, share: number): Promise<() => Promise<void>> {
  const whole = await readFile(file);
  const bytes = Buffer.from(whole);
  const at = Math.floor(bytes.length * share);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(file, bytes);
  return () => writeFile(file, whole);
}

interface Seen {
  readonly paths: readonly {
    path: string;
    file_mode: number;
    user_id: number;
    size: number;
    crc32: number | null;
    link_name: string | null;
  }[];
  readonly jobs: Readonly<Record<string, unknown>>;
}
const read = async (component: string, payload: string): Promise<Seen> =>
  JSON.parse(
    (
      await run(PYTHON, [path.join(import.meta.dirname, 'read-package.py'), path.join(component, 'Bom'), payload], {
        maxBuffer: 8 << 20,
      })
    ).stdout,
  ) as Seen;

describe('npm run dist -- macos', () => {
  it('makes a package that other programs read as it was meant, twice with the same bytes', async () => {
    const made = [];
    for (const name of ['once', 'again']) {
      const out = path.join(folder, name);
      const { code, stdout, stderr } = await dist(['macos', '--out', out], { KIWISTACK_MACOS_PROGRAMS: programs });
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('not signed: macOS refuses it');
      made.push(path.join(out, 'kiwistack-enroll_0.1.0_arm64.pkg'));
    }
    const [pkg = '', again = ''] = made;
    expect(await sha256(again)).toBe(await sha256(pkg));
    await expect(verifyApple(tool, pkg)).rejects.toEqual(refused(/not signed/u));
    const info = await run(PYTHON, [
      '-c',
      'import json, sys, apple_platform as a; print(json.dumps(a.packaging.pkg_info(sys.argv[1])))',
      pkg,
    ]);
    expect(JSON.stringify(JSON.parse(info.stdout))).toContain('io.kiwistack.enroll.window');

    const whole = await unpacked(pkg);
    expect((await readdir(whole)).sort()).toEqual(['Distribution', 'agent.pkg', 'window.pkg']);
    for (const name of ['agent', 'window']) {
      const component = path.join(whole, `${name}.pkg`);
      const payload = await unpacked(path.join(component, 'Payload'));
      const { paths } = await read(component, payload);
      expect(paths.map((one) => one.path).sort()).toEqual(['.', ...(await namesBelow(payload, '.'))].sort());
      for (const one of paths.filter(({ file_mode: mode }) => (mode & 0o170_000) === 0o100_000)) {
        const [sum, size] = (await run('/usr/bin/cksum', [path.join(payload, one.path)])).stdout.split(' ');
        expect([one.crc32, one.size, one.user_id], one.path).toEqual([Number(sum), Number(size), 0]);
      }
    }
  });

  it('has the agent with its jobs, and the window', async () => {
    const whole = await unpacked(path.join(folder, 'once/kiwistack-enroll_0.1.0_arm64.pkg'));
    const agent = await unpacked(path.join(whole, 'agent.pkg/Payload'));
    const { jobs } = await read(path.join(whole, 'agent.pkg'), agent);
    expect(jobs['io.kiwistack.enroll.agent.plist']).toEqual(agentJob());
    expect(jobs['io.kiwistack.enroll.mend.plist']).toEqual(mendJob());
    expect(Object.keys(jobs)).toHaveLength(3);
    const program = path.join(agent, 'Library/KiwiStack');
    for (const line of (await readFile(path.join(program, 'files.sha256'), 'utf8')).trimEnd().split('\n')) {
      const [hash = '', name = ''] = line.split('  ');
      expect(await sha256(path.join(program, name)), name).toBe(hash);
    }
    expect(await readFile(path.join(agent, 'private/etc/paths.d/kiwistack'), 'utf8')).toBe(
      '/Library/KiwiStack/command\n',
    );
    const window = await unpacked(path.join(whole, 'window.pkg/Payload'));
    const contents = path.join(window, 'KiwiStack Enroll.app/Contents');
    expect(listPackage(path.join(contents, 'Resources/app.asar'), {}).sort()).toEqual(WHOLE_APP);
    const plist = await readFile(path.join(contents, 'Info.plist'), 'utf8');
    expect(plist).toMatch(/<key>CFBundleIdentifier<\/key>\s*<string>io.kiwistack.enroll<\/string>/u);
    expect(plist).toMatch(/<key>LSMinimumSystemVersion<\/key>\s*<string>14.0<\/string>/u);
    expect(plist).toContain('ElectronAsarIntegrity');
  });

  it('has addons for both processors, which need nothing but macOS and Node-API', async () => {
    const whole = await unpacked(path.join(folder, 'once/kiwistack-enroll_0.1.0_arm64.pkg'));
    const agent = await unpacked(path.join(whole, 'agent.pkg/Payload'));
    const addons = path.join(agent, 'Library/KiwiStack/build/Release');
    const names = (await readdir(addons)).sort();
    expect(names).toEqual(['locked_memory.node', 'pkcs11.node', 'peer_credentials.node'].sort());
    const headers = await Promise.all(
      ['js_native_api.h', 'node_api.h'].map((name) => readFile(path.join(nodeHeaders(), name), 'utf8')),
    );
    const nodeApi = new Set(headers.join('').match(/\bnapi_[a-z0-9_]+(?=\()/gu));
    for (const name of names) {
      const programs = await readMachO(PYTHON, path.join(addons, name));
      expect(programs.map(({ processor }) => processor)).toEqual(['X86_64', 'ARM64']);
      for (const program of programs) {
        expect(program).toMatchObject({
          ...{ kind: 'DYLIB', name: `@rpath/${name}`, oldest: '14.0' },
          ...{ libraries: ['/usr/lib/libSystem.B.dylib'], searchPaths: [] },
        });
        const { '/usr/lib/libSystem.B.dylib': system = [], flat = [], self = [], ...others } = program.bound;
        expect(others).toEqual({});
        // What Node has: undefined in the addon, and looked up in whoever loads it.
        expect(flat.filter((symbol) => !nodeApi.has(symbol.slice(1)))).toEqual([]);
        expect(flat.length).toBeGreaterThan(5);
        expect(system.filter((symbol) => symbol.startsWith('_napi'))).toEqual([]);
        expect(program.exports).toContain('_napi_register_module_v1');
        // C++ lets a program replace these.
        const replaceable = program.exports.filter((symbol) => /^__Z(?:n[wa]m|d[la]Pv)/u.test(symbol));
        expect(self.filter((symbol) => !replaceable.includes(symbol))).toEqual([]);
        const ours = [
          '___dso_handle',
          '__mh_dylib_header',
          '_napi_register_module_v1',
          '_node_api_module_get_api_version_v1',
        ];
        expect(program.exports.filter((symbol) => !replaceable.includes(symbol))).toEqual(ours);
      }
      const wanted = {
        'pkcs11.node': '_dlopen',
        'locked_memory.node': '_mlock',
        'peer_credentials.node': '_launch_activate_socket',
      };
      expect(programs[0]?.bound['/usr/lib/libSystem.B.dylib']).toContain(wanted[name as keyof typeof wanted]);
    }
  });

  it('signs programs, application and package, and finds a changed byte in each', async () => {
    const out = path.join(folder, 'signed');
    const { code, stdout, stderr } = await dist(['macos', '--out', out], {
      KIWISTACK_MACOS_PROGRAMS: programs,
      ...keys,
    });
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /^ {2}signed by CN=Developer ID Installer: KiwiStack Test \(KIWI123456\), .*, without a time stamp, not notarised$/mu,
    );
    const pkg = path.join(out, 'kiwistack-enroll_0.1.0_arm64.pkg');
    expect(await verifyApple(tool, pkg)).toContain('Developer ID Installer');
    const whole = await unpacked(pkg);
    const agent = await unpacked(path.join(whole, 'agent.pkg/Payload'));
    const window = await unpacked(path.join(whole, 'window.pkg/Payload'));
    const node = path.join(agent, 'Library/KiwiStack/bin/node');
    const app = path.join(window, 'KiwiStack Enroll.app');
    for (const file of [node, path.join(agent, 'Library/KiwiStack/build/Release/pkcs11.node'), app]) {
      expect(await verifyApple(tool, file)).toContain('Developer ID Application');
    }
    // The hash in the list is that of the signed program.
    const manifest = await readFile(path.join(agent, 'Library/KiwiStack/files.sha256'), 'utf8');
    expect(manifest).toContain(`${await sha256(node)}  bin/node\n`);
    const allowed = await allowedIn(path.join(agent, 'Library/KiwiStack'));
    expect(allowed).toEqual({
      'bin/node': [JIT],
      // A Node of its own, the only program that loads what others have signed.
      'bin/kiwistack-token-host': [JIT, 'com.apple.security.cs.disable-library-validation'],
      ...{ 'bin/wg': [], 'bin/wireguard-go': [] },
      ...{
        'build/Release/pkcs11.node': [],
        'build/Release/locked_memory.node': [],
        'build/Release/peer_credentials.node': [],
      },
    });
    expect(await readFile(path.join(agent, 'Library/KiwiStack/bin/kiwistack-token-host'))).not.toEqual(
      await readFile(node),
    );

    for (const share of [0.3, 0.9]) {
      const back = await flip(pkg, share);
      await expect(verifyApple(tool, pkg)).rejects.toEqual(refused(/is not as it was signed/u));
      await back();
    }
    await flip(node, 0.5);
    await expect(verifyApple(tool, node)).rejects.toEqual(refused(/digest mismatch/u));
    for (const name of ['Contents/Resources/app.asar', 'Contents/Info.plist']) {
      const back = await flip(path.join(app, name), 0.5);
      await expect(verifyApple(tool, app), name).rejects.toEqual(refused(/./u));
      await back();
    }
    expect(await verifyApple(tool, app)).toContain('Developer ID Application');
  });

  it('says what is missing, and takes no half of the keys', async () => {
    const empty = path.join(folder, 'empty');
    await mkdir(empty);
    const out = path.join(folder, 'bad');
    const without = await dist(['macos', '--out', out], { KIWISTACK_MACOS_PROGRAMS: path.join(folder, 'none') });
    expect(without).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('not made: the package for macos') as string,
    });
    const noCompiler = { KIWISTACK_MACOS_PROGRAMS: programs, KIWISTACK_ZIG: path.join(folder, 'no-zig') };
    expect(await dist(['macos', '--out', out], noCompiler)).toMatchObject({
      code: 6,
      stdout: expect.stringContaining('no-zig, which compiles the addons') as string,
    });
    const half = await dist(['macos', '--out', out], { KIWISTACK_MACOS_PROGRAMS: empty });
    expect(half.stderr).toContain('has no node');
    const key = { KIWISTACK_APPLE_APPLICATION_KEY: keys['KIWISTACK_APPLE_APPLICATION_KEY'] ?? '' };
    expect(await dist(['macos', '--out', out], { KIWISTACK_MACOS_PROGRAMS: programs, ...key })).toMatchObject({
      code: 2,
    });
  });
});

/** What the hardened runtime, which each has, allows each program and addon all the same. */
async function allowedIn(program: string): Promise<Record<string, string[]>> {
  const files = (await namesBelow(program, '.')).map((name) => name.slice(2));
  const found: Record<string, string[]> = {};
  for (const name of files.filter((one) => /^bin\/(?!kiwistack-enroll$|remove-)|\.node$/u.test(one))) {
    const programs: readonly Program[] = await readMachO(PYTHON, path.join(program, name));
    for (const { signature } of programs) {
      expect(signature.flags, name).toBe('CodeSignatureFlags(RUNTIME)');
      const given = Object.entries(signature.entitlements);
      expect(given.every(([, value]) => value === true)).toBe(true);
      found[name] = given.map(([key]) => key).sort();
      // macOS reads them in DER.
      const inDer = signature.slots.some((slot) => /\(7\)$/u.test(slot));
      if (name.startsWith('bin/')) expect(inDer, name).toBe(given.length > 0);
    }
  }
  return found;
}

async function namesBelow(at: string, name: string): Promise<string[]> {
  const entries = await readdir(at, { withFileTypes: true });
  const found = await Promise.all(
    entries.map(async (entry) => {
      const inside = `${name}/${entry.name}`;
      return [inside, ...(entry.isDirectory() ? await namesBelow(path.join(at, entry.name), inside) : [])];
    }),
  );
  return found.flat();
}
