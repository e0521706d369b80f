import type { z } from 'zod';

import type { Clock } from '../../../core/clock.ts';
import type { OperatorRole } from '../../../protocol/operator-records.ts';
import type { Arguments, OPERATOR_VERBS, Verb } from '../../../protocol/operator-verbs.ts';
import type { AuditSeal } from '../../audit/audit-seal.ts';
import type { SettingsWatch } from '../../audit/settings-watch.ts';
import type { CertificateAuthority } from '../../ca/ca-client.ts';
import type { SliceConfig } from '../../config/slice-config.ts';
import type { SliceIdentity } from '../../config/slice-identity.ts';
import type { SlicePaths } from '../../config/slice-paths.ts';
import type { AuditEntry, Registry } from '../../registry/registry.ts';

/** What the verbs work with. */
export interface OperatorParts {
  readonly paths: SlicePaths;
  readonly config: SliceConfig;
  readonly identity: SliceIdentity;
  readonly registry: Registry;
  /** With the key of provisioner `yubikey`. */
  readonly ca: CertificateAuthority;
  readonly seal: AuditSeal;
  readonly settings: SettingsWatch;
  readonly clock: Clock;
  /** Has step-ca revoke what is marked. @returns false when it does not answer: then the gateway does, once it answers again */
  readonly revokeIfPossible: () => Promise<boolean>;
}

/** Who asks. */
export interface Actor {
  /** `operator`: whoever may read the slice's folder. */
  readonly name: string;
  readonly role: OperatorRole;
  /** Thumbprint of the YubiKey's key; undefined in the slice's folder. */
  readonly kid?: string;
}

/** One request of an operator. */
export interface Asked {
  readonly actor: Actor;
  /** Its record in the audit: who asked is in it. */
  readonly audited: (action: string, more?: Partial<AuditEntry>) => AuditEntry;
}

/** What is said here is cut to the verb's schema before it leaves. */
export type Handlers<V extends Verb> = {
  readonly [K in V]: (
    given: Arguments<K>,
    asked: Asked,
  ) => Promise<Readonly<z.input<(typeof OPERATOR_VERBS)[K]['result']>>>;
};

/** The verbs of one noun. */
export type VerbsOf<Noun extends string> = Extract<Verb, `${Noun}.${string}`>;
