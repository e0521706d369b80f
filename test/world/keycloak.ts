import { execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createLocalJWKSet, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';

import { slicePaths } from '../../src/slice/config/slice-paths.ts';
import type { Room } from '../lab/lab.ts';
import type { Domain } from './domain.ts';
import { DOMAIN_ADDRESS, knows } from './domain-inside.ts';
import { DC, IDENTITY, REALM, SUFFIX } from './domain-files.ts';
import { certifyInside } from './inside-certificate.ts';
import { withJava } from './with-servers.ts';

const DIST = path.join(import.meta.dirname, '..', '..', '.cache', 'keycloak', 'dist');
const JAVA = `/usr/lib/jvm/java-17-openjdk-${process.arch === 'arm64' ? 'arm64' : 'amd64'}`;

export const ID_HOST = 'id.corp.example';
const SERVICE = `HTTP/${ID_HOST}@${REALM}`;
const ISSUER = `https://${ID_HOST}/realms/corp`;
const OPERATOR = { username: 'admin', password: 'secret of Keycloak' };
/** An application of the customer's, which has people sign in here. */
const APPLICATION = { id: 'desk', secret: 'secret of the desk', back: 'https://desk.corp.example/back' };

export interface KeycloakMaking {
  /** Where the domain is. */
  readonly room: Room;
  readonly sliceDir: string;
  /** A folder of its own. */
  readonly dir: string;
  readonly domain: Domain;
}

/**
 * A real Keycloak beside the customer's domain: it takes people from the directory, their passwords to the KDC, and the tickets that they
 * show. Its address is the domain's, port 443, and its certificate is one that enrolled laptops trust.
 */
export class Keycloak {
  readonly #making: KeycloakMaking;
  #process: ChildProcess | undefined;

  private constructor(making: KeycloakMaking) {
    this.#making = making;
  }

  /** Starts it, and waits until the realm is there. */
  static async start(making: KeycloakMaking): Promise<Keycloak> {
    if (!existsSync(DIST))
      throw new Error('Keycloak is missing; run: bash installers/prepare-machine.sh --for single-sign-on');
    const keycloak = new Keycloak(making);
    const { dir, domain, room, sliceDir } = making;
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    // It writes into its own folder.
    execFileSync('/bin/cp', ['-a', DIST, keycloak.#file('home')]);
    await certifyInside(sliceDir, { cn: 'Keycloak', names: [ID_HOST], ip: DOMAIN_ADDRESS }, dir);
    await knows(room, DC);
    writeFileSync(keycloak.#file('domain-ca.pem'), domain.ca);
    await domain.kadmin('add', '--random-key', '--use-defaults', SERVICE);
    await domain.kadmin('ext_keytab', `--keytab=FILE:${keycloak.#file('http.keytab')}`, SERVICE);
    keycloak.#launch();
    try {
      await keycloak.#untilItAnswers();
      await keycloak.#makeRealm();
    } catch (error) {
      await keycloak.stop();
      throw error;
    }
    return keycloak;
  }

  /** Where the application sends a browser. */
  get signInUrl(): string {
    const { id, back } = APPLICATION;
    const asked = { client_id: id, response_type: 'code', scope: 'openid', redirect_uri: back };
    return `${ISSUER}/protocol/openid-connect/auth?${new URLSearchParams(asked).toString()}`;
  }

  /** The code that a browser brings back to the application. Undefined when it was sent elsewhere, or nowhere. */
  codeIn(location: string): string | undefined {
    const url = URL.canParse(location) ? new URL(location) : undefined;
    if (url === undefined || `${url.origin}${url.pathname}` !== APPLICATION.back) return undefined;
    return url.searchParams.get('code') ?? undefined;
  }

  /** Who the application is told that somebody is, by the id token that it gets for a code. */
  async redeem(code: string): Promise<JWTPayload> {
    const { id, secret, back } = APPLICATION;
    const form = { grant_type: 'authorization_code', code, redirect_uri: back };
    const tokens = await this.#form(`${ISSUER}/protocol/openid-connect/token`, form, ['--user', `${id}:${secret}`]);
    const keys = await this.#curl([`${ISSUER}/protocol/openid-connect/certs`]);
    const { id_token: token } = JSON.parse(tokens) as { readonly id_token: string };
    const trusted = createLocalJWKSet(JSON.parse(keys) as JSONWebKeySet);
    return (await jwtVerify(token, trusted, { issuer: ISSUER, audience: id })).payload;
  }

  async stop(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGTERM');
    await ended;
  }

  #launch(): void {
    const { room, domain } = this.#making;
    const options = [
      ...['--db=dev-mem', '--cache=local', `--hostname=https://${ID_HOST}`],
      ...[`--http-host=${DOMAIN_ADDRESS}`, '--https-port=443'],
      `--https-certificate-file=${this.#file('tls.crt')}`,
      `--https-certificate-key-file=${this.#file('tls.key')}`,
      `--truststore-paths=${this.#file('domain-ca.pem')}`,
    ];
    const [program, args] = withJava([this.#file('home/bin/kc.sh'), 'start', ...options]);
    const log = openSync(this.#file('log'), 'a', 0o600);
    this.#process = room.spawn([program, ...args], {
      stdio: ['ignore', log, log],
      env: {
        JAVA_HOME: JAVA,
        JAVA_OPTS_APPEND: `-Djava.security.krb5.conf=${domain.krb5Conf}`,
        KC_BOOTSTRAP_ADMIN_USERNAME: OPERATOR.username,
        KC_BOOTSTRAP_ADMIN_PASSWORD: OPERATOR.password,
      },
    });
    closeSync(log);
  }

  async #untilItAnswers(): Promise<void> {
    for (;;) {
      const failed = await this.#token().then(
        () => undefined,
        (error: unknown) => error as Error,
      );
      if (failed === undefined) return;
      if (this.#process?.exitCode !== null)
        throw new Error(`Keycloak ended: ${readFileSync(this.#file('log'), 'utf8').slice(-4000)}`, { cause: failed });
      await sleep(500);
    }
  }

  /** The customer's realm: people of the directory, proven by Kerberos, and the application. */
  async #makeRealm(): Promise<void> {
    await this.#create('/admin/realms', { id: 'corp', realm: 'corp', enabled: true });
    const config = {
      ...{ enabled: 'true', priority: '0', vendor: 'other', editMode: 'READ_ONLY', importEnabled: 'true' },
      ...{ connectionUrl: this.#making.domain.config.url, useTruststoreSpi: 'always', authType: 'simple' },
      ...{ bindDn: IDENTITY.dn, bindCredential: IDENTITY.password, usersDn: SUFFIX, searchScope: '1' },
      ...{ usernameLDAPAttribute: 'uid', rdnLDAPAttribute: 'uid', uuidLDAPAttribute: 'entryUUID' },
      ...{ userObjectClasses: 'inetOrgPerson', trustEmail: 'true', allowKerberosAuthentication: 'true' },
      ...{ kerberosRealm: REALM, serverPrincipal: SERVICE, keyTab: this.#file('http.keytab') },
      ...{ useKerberosForPasswordAuthentication: 'true' },
    };
    await this.#create('/admin/realms/corp/components', {
      ...{ name: DC, parentId: 'corp', providerId: 'ldap' },
      providerType: 'org.keycloak.storage.UserStorageProvider',
      config: Object.fromEntries(Object.entries(config).map(([name, value]) => [name, [value]])),
    });
    const { id, secret, back } = APPLICATION;
    await this.#create('/admin/realms/corp/clients', { clientId: id, secret, redirectUris: [back] });
  }

  async #create(where: string, what: unknown): Promise<void> {
    // A token lives for a minute.
    const headers = ['--header', `Authorization: Bearer ${await this.#token()}`];
    const json = ['--header', 'Content-Type: application/json', '--data', '@-'];
    await this.#curl([...headers, ...json, `https://${ID_HOST}${where}`], JSON.stringify(what));
  }

  async #token(): Promise<string> {
    const form = { client_id: 'admin-cli', grant_type: 'password', ...OPERATOR };
    const answer = await this.#form(`https://${ID_HOST}/realms/master/protocol/openid-connect/token`, form);
    return (JSON.parse(answer) as { readonly access_token: string }).access_token;
  }

  #form(url: string, fields: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<string> {
    return this.#curl([...args, '--data', '@-', url], new URLSearchParams(fields).toString());
  }

  /** @throws when it is refused */
  async #curl(args: readonly string[], input = ''): Promise<string> {
    const { room, sliceDir } = this.#making;
    const trust = ['--cacert', slicePaths(sliceDir).msp.certificate, '--resolve', `${ID_HOST}:443:${DOMAIN_ADDRESS}`];
    const argv = ['/usr/bin/curl', '--silent', '--show-error', '--fail-with-body', ...trust, ...args];
    const { code, stdout, stderr } = await room.run(argv, { input });
    if (code !== 0) throw new Error(`Keycloak: ${stderr}\n${stdout}`);
    return stdout;
  }

  #file(name: string): string {
    return path.join(this.#making.dir, name);
  }
}
