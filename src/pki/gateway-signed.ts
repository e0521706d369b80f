import { KiwiError } from '../core/errors.ts';
import type { Certificate } from './certificate.ts';
import { ChainError, verifyChain } from './chain.ts';
import { JoseError, openCompact, type OpenedCompact } from './jws.ts';
import { EKU } from './roles.ts';

/**
 * A slice's message with the proof of its origin: a compact JWS whose `x5c` is the gateway's certificate and the
 * customer's intermediate.
 */
export interface GatewaySigned {
  readonly payload: OpenedCompact['payload'];
  readonly gateway: Certificate;
  readonly intermediate: Certificate;
}

/**
 * Verifies that the gateway certificate's key signed the message; whose certificate it is has to be checked with
 * `checkGateway`.
 * @throws KiwiError `slice-not-proven`
 */
export function openGatewaySigned(jws: string, typ: string): GatewaySigned {
  const opened = open(jws, typ);
  const [gateway, intermediate] = opened.x5c;
  if (gateway === undefined || intermediate === undefined || opened.x5c.length !== 2) refuse('x5c');
  if (!opened.verify(gateway.publicKey)) refuse('signature');
  return { payload: opened.payload, gateway, intermediate };
}

/**
 * Checks that the signer chains to a pinned root and has the gateway's role.
 * @returns the root that ends the chain
 * @throws KiwiError `slice-not-proven`, `slice-root-unknown`
 */
export function checkGateway(input: {
  readonly gateway: Certificate;
  readonly intermediate: Certificate;
  readonly roots: readonly Certificate[];
  readonly at: Date;
}): Certificate {
  const { gateway, ...chain } = input;
  const root = rootOf({ leaf: gateway, ...chain });
  if (!gateway.extendedKeyUsages.includes(EKU.gateway)) refuse('role of the signer');
  return root;
}

function open(jws: string, typ: string): OpenedCompact {
  try {
    return openCompact(jws, typ);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('slice-not-proven', { detail: error.message, cause: error });
  }
}

function rootOf(chain: Parameters<typeof verifyChain>[0]): Certificate {
  try {
    return verifyChain(chain).root;
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const code = error.reason === 'unknown-root' ? 'slice-root-unknown' : 'slice-not-proven';
    throw new KiwiError(code, { detail: error.message, cause: error });
  }
}

function refuse(detail: string): never {
  throw new KiwiError('slice-not-proven', { detail });
}
