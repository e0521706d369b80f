import { readdir, readFile } from 'node:fs/promises';

import type { CertificateConsumer } from '../../src/laptop/system/certificate-consumer.ts';
import { restartBackends } from './sssd-backend.ts';
import { at, findProgram, runTool, runToolChecked, type LinuxSystem } from './system.ts';

const WIFI_MS = 60_000;

/** SSSD holds the certificate of its first connection to the directory: only a new `sssd_be` reads the file again, not SIGHUP. */
export const sssd = (system: LinuxSystem): CertificateConsumer => ({
  name: 'sssd',
  async uses(certificateFile) {
    const folder = at(system, '/etc/sssd/conf.d');
    const more = (await readdir(folder).catch(() => [])).map((name) => `${folder}/${name}`);
    const texts = [at(system, '/etc/sssd/sssd.conf'), ...more].map((file) => readFile(file, 'utf8').catch(() => ''));
    return (await Promise.all(texts)).some((text) => text.includes(certificateFile));
  },
  renew: () => restartBackends(system),
});

/** wpa_supplicant reads the file when a connection is activated, and not at the next authentication of the same activation. */
export const wifi = (system: LinuxSystem): CertificateConsumer => {
  const using = async (certificateFile: string): Promise<string[]> => {
    if ((await findProgram(system, 'nmcli')) === undefined) return [];
    const args = ['-t', '-f', 'UUID,TYPE', 'connection', 'show', '--active'];
    const { stdout } = await runTool(system, { name: 'nmcli', args });
    const active = stdout
      .toString()
      .split('\n')
      .map((line) => line.split(':'));
    const uuids = active.flatMap(([uuid = '', type]) => (type === '802-11-wireless' ? [uuid] : []));
    const certificates = await Promise.all(
      uuids.map(async (uuid) => {
        const show = ['-g', '802-1x.client-cert', 'connection', 'show', 'uuid', uuid];
        return (await runTool(system, { name: 'nmcli', args: show })).stdout.toString();
      }),
    );
    return uuids.filter((_uuid, index) => certificates[index]?.includes(certificateFile) === true);
  };
  return {
    name: 'wifi',
    uses: async (certificateFile) => (await using(certificateFile)).length > 0,
    async renew(certificateFile) {
      for (const uuid of await using(certificateFile)) {
        const args = ['--wait', '45', 'connection', 'up', 'uuid', uuid];
        await runToolChecked(system, { name: 'nmcli', args, timeoutMs: WIFI_MS }, 'program-failed');
      }
    },
  };
};
