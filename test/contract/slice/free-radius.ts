import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { DAY, issueCertificate } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { freePorts } from '../../fakes/slice/test-slice.ts';
import { withServers } from '../../world/with-servers.ts';
import { endProcess } from './end-process.ts';

const SECRET = 'testing123';

/** A real FreeRADIUS on loopback that lets in who has a device certificate (EAP-TLS), as behind an access point. */
export class FreeRadius {
  /** Root, intermediate and list: what it reads at its start. */
  readonly caFile: string;
  readonly #dir: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(dir: string, port: number) {
    this.#dir = dir;
    this.#port = port;
    this.caFile = path.join(dir, 'ca.pem');
  }

  static async make(): Promise<FreeRadius> {
    const dir = mkdtempSync(path.join(tmpdir(), 'kiwi-radius-'));
    const [port = 0] = await freePorts(1);
    const radius = new FreeRadius(dir, port);
    const [rootKey, key] = [generateP256(), generateP256()];
    const validity = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + 30 * DAY) };
    const root = await issueCertificate({
      subject: { cn: 'Wi-Fi CA' },
      key: rootKey,
      ca: { pathLength: 0 },
      ...validity,
    });
    const server = await issueCertificate({
      ...{ subject: { cn: 'radius.corp.example' }, key, issuer: { certificate: root, key: rootKey } },
      ...{ sanDns: ['radius.corp.example'], extendedKeyUsages: ['1.3.6.1.5.5.7.3.1'] },
      ...validity,
    });
    radius.#write('server.crt', server.pem);
    radius.#write('server.key', key.export({ format: 'pem', type: 'pkcs8' }).toString());
    radius.#write('wifi-ca.pem', root.pem);
    radius.#write('radiusd.conf', radiusConf(dir, port));
    return radius;
  }

  async start(): Promise<void> {
    const argv = ['/usr/sbin/freeradius', '-d', this.#dir, '-f', '-l', 'stdout'];
    const running = spawn(...withServers(argv), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = running;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const listen = (chunk: Buffer): void => {
        said += chunk.toString();
        if (said.includes('Ready to process requests')) resolve();
      };
      running.stdout.on('data', listen);
      running.stderr.on('data', listen);
      running.once('exit', () => {
        reject(new Error(`FreeRADIUS ended: ${said}`));
      });
    });
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    await endProcess(running);
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** A laptop asks to be let in, with eapol_test in place of its wpa_supplicant. */
  letsIn(certificate: string, key: string): { readonly letIn: boolean; readonly said: string } {
    this.#write('laptop.crt', certificate);
    this.#write('laptop.key', key);
    const files = `ca_cert="${this.#dir}/wifi-ca.pem" client_cert="${this.#dir}/laptop.crt" private_key="${this.#dir}/laptop.key"`;
    const network = [
      'key_mgmt=WPA-EAP',
      'eap=TLS',
      'identity="laptop"',
      ...files.split(' '),
      'domain_match="radius.corp.example"',
    ];
    this.#write('eapol.conf', `network={\n${network.map((line) => `  ${line}\n`).join('')}}\n`);
    const asked = ['-c', path.join(this.#dir, 'eapol.conf'), '-a', '127.0.0.1', '-p', `${this.#port}`, '-s', SECRET];
    const run = spawnSync(...withServers(['/usr/bin/eapol_test', ...asked, '-t', '20']), { encoding: 'utf8' });
    return { letIn: run.status === 0 && run.stdout.trimEnd().endsWith('SUCCESS'), said: run.stdout + run.stderr };
  }

  #write(name: string, text: string): void {
    writeFileSync(path.join(this.#dir, name), text, { mode: 0o600 });
  }
}

/** Its parser wants one statement a line. */
const radiusConf = (dir: string, port: number): string => `name = radiusd
prefix = /usr
logdir = ${dir}
run_dir = ${dir}
libdir = /usr/lib/freeradius
log {
  destination = stdout
  auth = yes
}
security {
  max_attributes = 200
  reject_delay = 0
  status_server = no
  allow_vulnerable_openssl = yes
}
thread pool {
  start_servers = 1
  max_servers = 4
  min_spare_servers = 1
  max_spare_servers = 2
}
client localhost {
  ipaddr = 127.0.0.1
  secret = ${SECRET}
}
modules {
  eap {
    default_eap_type = tls
    tls-config common {
      private_key_file = ${dir}/server.key
      certificate_file = ${dir}/server.crt
      ca_file = ${dir}/ca.pem
      check_crl = yes
      tls_min_version = "1.2"
      tls_max_version = "1.3"
      ecdh_curve = ""
      cache {
        enable = no
      }
    }
    tls {
      tls = common
    }
  }
}
server default {
  listen {
    type = auth
    ipaddr = 127.0.0.1
    port = ${port}
  }
  authorize {
    eap
  }
  authenticate {
    eap
  }
}
`;
