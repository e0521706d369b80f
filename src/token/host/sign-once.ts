import { createHash } from 'node:crypto';

import type { Module } from 'graphene-pk11';

import type { HostAnswer, HostRequest } from '../wire/messages.ts';
import { attempt, onCard, useOnce } from './key-of-request.ts';

type SignRequest = Extract<HostRequest, { op: 'sign' }>;

/**
 * Signs exactly once.
 * @param pin cleared by the caller
 * @param onSigning called when the PIN was accepted, just before the card is asked to sign
 */
export function signOnce(module: Module, request: SignRequest, pin: Buffer, onSigning: () => void): HostAnswer<'sign'> {
  return useOnce(module, request, pin, ({ session, key, confirm }) => {
    const data = Buffer.from(request.data, 'base64');
    const operation = attempt('C_SignInit', () => session.createSign(mechanismOf(request.algorithm), key));
    confirm();
    onSigning();
    const signature = onCard('C_Sign', request, () => operation.once(inputOf(request.algorithm, data)));
    return { signature: signature.toString('base64') };
  });
}

function mechanismOf(algorithm: SignRequest['algorithm']): string {
  return algorithm === 'RS256' ? 'SHA256_RSA_PKCS' : 'ECDSA';
}

/** CKM_ECDSA signs a digest; CKM_SHA256_RSA_PKCS makes its own. */
function inputOf(algorithm: SignRequest['algorithm'], data: Buffer): Buffer {
  switch (algorithm) {
    case 'ES256':
      return createHash('sha256').update(data).digest();
    case 'ES384':
      return createHash('sha384').update(data).digest();
    case 'RS256':
      return data;
  }
}
