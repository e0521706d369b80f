import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

import { fleetFiles } from '../fakes/fleet/server/files.ts';
import type { Laptop, Room } from '../lab/lab.ts';
import { FLEET_URL, PIN, readText, type World } from '../world/world.ts';

/** Debian's folder for libraries of this processor. */
const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';

async function must(room: Room, argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await room.run(argv);
  if (code !== 0) throw new Error(`${argv.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** libykcs11 alone: open a session, log in, sign once with slot 9c (touched at once). Milliseconds, the median. */
export async function measureToken(laptop: Laptop): Promise<number> {
  const module = `/usr/lib/${TRIPLET}/libykcs11.so.2`;
  const sign = [
    '--login',
    '--pin',
    PIN,
    '--sign',
    '--id',
    '02',
    '-m',
    'ECDSA',
    '-i',
    '/tmp/digest',
    '-o',
    '/tmp/signature',
  ];
  await must(laptop, ['/bin/sh', '-c', 'head -c 32 /dev/zero >/tmp/digest']);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    times.push(await timed(() => must(laptop, ['/usr/bin/pkcs11-tool', '--module', module, ...sign])));
  }
  return median(times);
}

/** wg-quick alone, on an enrolled laptop: from nothing to the first ping that comes back. */
export async function measureTunnel(laptop: Laptop, probe: string): Promise<number> {
  const name = (await must(laptop, ['/usr/bin/wg', 'show', 'interfaces'])).trim();
  const times: number[] = [];
  for (let round = 0; round < 3; round++) {
    await must(laptop, ['/usr/bin/systemctl', 'stop', `wg-quick@${name}`]);
    times.push(
      await timed(async () => {
        await must(laptop, ['/usr/bin/systemctl', 'start', `wg-quick@${name}`]);
        await must(laptop, ['/usr/bin/ping', '-c', '1', '-W', '5', probe]);
      }),
    );
  }
  return median(times);
}

/** The agent alone, on an enrolled laptop: from `dpkg -i` with its configuration in place to online in Fleet. */
export async function measureAgent(world: World, laptop: Laptop): Promise<number> {
  const { enrollSecretPath, apiTokenPath, caPath } = fleetFiles(world.fleetDir);
  const secret = (await readText(enrollSecretPath)).trim();
  const token = (await readText(apiTokenPath)).trim();
  const keep = ['/bin/sh', '-ec', 'mkdir -p /tmp/kept; cp -a /etc/fleet /etc/systemd/system/orbit.service.d /tmp/kept'];
  await must(laptop, keep);
  const packages = path.join(world.dir, 'private/packages');
  const [file = ''] = await readdir(packages);
  const copied = path.join('/tmp', file);
  await laptop.run(['/bin/sh', '-c', `cat >${copied}`], { input: await readFile(path.join(packages, file)) });
  const before = await hostSeen(world, laptop, token, caPath);
  await must(laptop, ['/usr/bin/dpkg', '--purge', 'fleet-osquery']);
  await laptop.run(['/bin/sh', '-c', 'cat >/tmp/secret'], { input: secret });
  await must(laptop, [
    '/bin/sh',
    '-ec',
    `mkdir -p /etc/fleet /etc/systemd/system/orbit.service.d
     cp -a /tmp/kept/fleet/. /etc/fleet/; cp -a /tmp/kept/orbit.service.d/. /etc/systemd/system/orbit.service.d/
     sed -i "s|^ORBIT_ENROLL_SECRET=.*|ORBIT_ENROLL_SECRET=$(cat /tmp/secret)|" /etc/fleet/enroll.env`,
  ]);
  return timed(async () => {
    await must(laptop, ['/usr/bin/dpkg', '-i', copied]);
    const deadline = Date.now() + 60_000;
    while ((await hostSeen(world, laptop, token, caPath)) === before) {
      if (Date.now() > deadline) throw new Error('the agent did not enroll');
    }
  });
}

/** A text that changes when Fleet has this laptop's details from a new enrollment and sees it online. */
async function hostSeen(world: World, laptop: Laptop, token: string, caPath: string): Promise<string> {
  const url = `${FLEET_URL}/api/v1/fleet/hosts/identifier/${laptop.dmi.product_uuid}`;
  const answer = await world.lab.inside.run(['/usr/bin/curl', '-sS', '--cacert', caPath, '-K', '-', url], {
    input: `header = "Authorization: Bearer ${token}"\n`,
  });
  const { host } = JSON.parse(answer.stdout) as { host?: Record<string, unknown> };
  const green = host?.['status'] === 'online' && host['osquery_version'] !== '' && host['orbit_version'] !== null;
  return green ? `${String(host['detail_updated_at'])} ${String(host['last_enrolled_at'])}` : 'no';
}
