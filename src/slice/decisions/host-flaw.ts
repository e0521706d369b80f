import { createHmac, createSecretKey } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import { componentText } from '../../protocol/component-text.ts';
import type { ComponentKind, Fingerprint } from '../../protocol/fingerprint.ts';
import type { Statement } from '../../protocol/statement.ts';

const SERIAL_KINDS: readonly ComponentKind[] = ['system-serial', 'board-serial', 'chassis-serial'];

/**
 * Why the names by which Fleet knows a laptop do not belong to its fingerprint; undefined when they do. Otherwise a
 * laptop could be itself in the fingerprint and another one in Fleet, whose host would be deleted with it.
 *
 * @param salt the customer's `fingerprintSalt`, base64url
 */
export function hostFlaw(
  host: Pick<Statement['host'], 'uuid' | 'serial'>,
  { components }: Fingerprint,
  salt: string,
): string | undefined {
  const key = createSecretKey(salt, 'base64url');
  const has = (kinds: readonly ComponentKind[], text: string): boolean =>
    kinds.some((kind) => {
      const hmac = base64url(
        createHmac('sha256', key)
          .update(`${kind}\0${componentText(text)}`)
          .digest(),
      );
      return components.some((component) => component.kind === kind && component.hmac === hmac);
    });
  if (host.uuid !== undefined && !has(['uuid'], host.uuid)) return 'host.uuid is not in the fingerprint';
  if (host.serial !== undefined && !has(SERIAL_KINDS, host.serial)) return 'host.serial is not in the fingerprint';
  return undefined;
}
