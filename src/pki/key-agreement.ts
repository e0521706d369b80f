import { diffieHellman, type KeyObject } from 'node:crypto';

/** Anything that can agree on a secret with the holder of another P-256 key: a key in memory, or in a TPM. */
export interface KeyAgreement {
  /** @returns the x-coordinate of ECDH with this point, 32 bytes; the caller clears it */
  agree(publicKey: KeyObject): Promise<Buffer>;
}

/** Key agreement with a private key in memory. */
export function keyAgreement(privateKey: KeyObject): KeyAgreement {
  // Inside a promise, because a key on another curve throws.
  return { agree: (publicKey) => Promise.resolve().then(() => diffieHellman({ privateKey, publicKey })) };
}

/** The same in Node's thread pool, for a gateway: see `signer.ts`. Node 22, which some laptops run, takes no callback here. */
export function keyAgreementAside(privateKey: KeyObject): KeyAgreement {
  return {
    agree: (publicKey) =>
      new Promise((resolve, reject) => {
        diffieHellman({ privateKey, publicKey }, (error, secret) => {
          if (error === null) resolve(secret);
          else reject(error);
        });
      }),
  };
}
