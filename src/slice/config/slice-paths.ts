import path from 'node:path';

/** The path of every file in the slice's folder. Folders have mode 0700, keys and the registry 0600. */
export interface SlicePaths {
  readonly dir: string;
  readonly config: string;
  readonly registry: string;
  /** The last checkpoint of the audit, signed by the gateway. */
  readonly auditCheckpoint: string;
  /** The MSP's root; in production it is kept offline. No running program reads its key. */
  readonly msp: { readonly dir: string; readonly certificate: string; readonly key: string };
  /** Working directory of step-ca: the file names in ca.json are relative to it, so that a slice can be moved. */
  readonly ca: {
    readonly dir: string;
    readonly config: string;
    readonly root: string;
    readonly certificate: string;
    /** The intermediate before the last `intermediate install`. */
    readonly previous: string;
    readonly key: string;
    readonly log: string;
    /** The provider's newest revocation list, PEM; absent while it has taken nothing back. */
    readonly rootList: string;
    /** When the intermediate was replaced by one with another key; absent while it never was. */
    readonly replaced: string;
    /** The customer was handed over: this slice does not start any more. */
    readonly handedOver: string;
    /** What is to take the place of these, until it has. */
    readonly next: string;
  };
  /** The gateway's keys: its grant-signing key, its TLS key, and the key of step-ca's provisioner `gateway`. */
  readonly gateway: {
    readonly dir: string;
    readonly certificate: string;
    readonly key: string;
    readonly tlsCertificate: string;
    readonly tlsKey: string;
    readonly provisionerKey: string;
  };
  /**
   * Used by the operator only: the key of step-ca's provisioner `yubikey`, and the key that signs consents. The gateway
   * never reads them.
   */
  readonly operator: { readonly dir: string; readonly provisionerKey: string; readonly consentKey: string };
  /** Stands in for the public web PKI when no TLS certificate is given. */
  readonly webCa: { readonly dir: string; readonly certificate: string; readonly key: string };
  readonly wireguard: { readonly dir: string; readonly privateKey: string };
  readonly fleet: string;
  /** The password of slice.json's `directory.bindDn`, the CA of the directory, if it has one of its own, and the key for kadmind. */
  readonly directory: { readonly secret: string; readonly ca: string; readonly keytab: string };
  readonly yubicoRoots: string;
  readonly tpmMakers: string;
  /** What the gateway's page offers. */
  readonly packages: string;
  /** When the last backup was made, and where it was written to. */
  readonly lastBackup: string;
  /** State of a running slice; removed when it stops. */
  readonly run: {
    readonly dir: string;
    readonly lock: string;
    readonly controlSocket: string;
    readonly endpoint: string;
  };
}

export function slicePaths(dir: string): SlicePaths {
  const at = (...names: string[]): string => path.join(dir, ...names);
  return {
    dir,
    config: at('slice.json'),
    registry: at('registry.sqlite'),
    auditCheckpoint: at('audit-checkpoint.jws'),
    msp: { dir: at('msp'), certificate: at('msp', 'root.crt'), key: at('msp', 'root.key') },
    ca: {
      dir: at('ca'),
      config: at('ca', 'ca.json'),
      root: at('ca', 'root.crt'),
      certificate: at('ca', 'intermediate.crt'),
      previous: at('ca', 'intermediate.previous.crt'),
      key: at('ca', 'intermediate.key'),
      log: at('ca', 'step-ca.log'),
      rootList: at('ca', 'root.crl'),
      replaced: at('ca', 'replaced.json'),
      handedOver: at('ca', 'handed-over.json'),
      next: at('ca', 'next'),
    },
    gateway: {
      dir: at('gateway'),
      certificate: at('gateway', 'grant.crt'),
      key: at('gateway', 'grant.key'),
      tlsCertificate: at('gateway', 'tls.crt'),
      tlsKey: at('gateway', 'tls.key'),
      provisionerKey: at('gateway', 'provisioner.key'),
    },
    operator: {
      dir: at('operator'),
      provisionerKey: at('operator', 'provisioner.key'),
      consentKey: at('operator', 'consent.key'),
    },
    webCa: { dir: at('web-ca'), certificate: at('web-ca', 'root.crt'), key: at('web-ca', 'root.key') },
    wireguard: { dir: at('wireguard'), privateKey: at('wireguard', 'private.key') },
    fleet: at('fleet.json'),
    directory: { secret: at('directory-secret'), ca: at('directory-ca.pem'), keytab: at('directory-admin.keytab') },
    yubicoRoots: at('yubico-roots.pem'),
    tpmMakers: at('tpm-makers.pem'),
    packages: at('packages'),
    lastBackup: at('last-backup.json'),
    run: {
      dir: at('run'),
      lock: at('run', 'slice.pid'),
      controlSocket: at('run', 'control.sock'),
      endpoint: at('run', 'endpoint.json'),
    },
  };
}
