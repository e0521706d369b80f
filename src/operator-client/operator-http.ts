import { Agent, request } from 'undici';

import { isErrorCode } from '../core/error-codes.ts';
import { KiwiError } from '../core/errors.ts';
import { intermediateName } from '../pki/roles.ts';
import { operatorRefusal } from '../protocol/operator-request.ts';
import { parseMessage } from '../protocol/parse.ts';

const TIMEOUT_MS = 15_000;
/** An operation at the slice may take a while: step-ca, Fleet. */
const ANSWER_MS = 120_000;
const MAX_REFUSAL = 16 * 1024;

export interface OperatorHttp {
  /** @returns the body of an answer of at most `maxBytes` @throws KiwiError `slice-unreachable`, `slice-answer-invalid`, a refusal */
  post(path: string, type: string, body: string, maxBytes: number): Promise<Buffer>;
  close(): Promise<void>;
}

/**
 * HTTPS to the operator API of one customer: the certificate has to lead to a pinned root, be issued by this customer's intermediate, and
 * be for the address in the URL. Another customer of the same provider may have the same inside address.
 *
 * @param slug undefined while it is not known yet: before the sign-in, whose challenge proves it
 */
export function operatorHttp(gateway: string, roots: string, slug: string | undefined): OperatorHttp {
  const { hostname } = new URL(gateway);
  const agent = new Agent({
    connect: {
      ca: roots,
      timeout: TIMEOUT_MS,
      checkServerIdentity: (_host, { subjectaltname, issuer }) => {
        if (subjectaltname !== `IP Address:${hostname}`) return new Error(`it is for ${subjectaltname ?? 'nobody'}`);
        const { CN: name } = issuer;
        return slug === undefined || name === intermediateName(slug)
          ? undefined
          : new Error(`it is by ${String(name)}`);
      },
    },
    headersTimeout: ANSWER_MS,
    bodyTimeout: TIMEOUT_MS,
    connections: 4,
  });
  return {
    async post(path, type, body, maxBytes) {
      const { statusCode, body: stream } = await request(`${new URL(gateway).origin}${path}`, {
        ...{ method: 'POST', dispatcher: agent, headers: { 'content-type': type, accept: '*/*' }, body },
      }).catch((error: unknown) => {
        throw unreachable(error);
      });
      const bytes = await readUpTo(stream, statusCode === 200 ? maxBytes : MAX_REFUSAL);
      if (statusCode === 200) return bytes;
      throw refusalIn(bytes, statusCode);
    },
    close: () => agent.close(),
  };
}

function unreachable(error: unknown): KiwiError {
  const { code, message } = error as { code?: string; message: string };
  const isTls = code !== undefined && (code.startsWith('ERR_TLS') || /CERT|SSL|SIGNATURE|ISSUER/u.test(code));
  const told = isTls || /^it is (?:for|by) /u.test(message);
  return new KiwiError(told ? 'slice-not-proven' : 'slice-unreachable', { detail: code ?? message, cause: error });
}

async function readUpTo(stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > maxBytes) throw new KiwiError('slice-answer-invalid', { detail: `longer than ${maxBytes} bytes` });
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof KiwiError ? error : unreachable(error);
  }
  return Buffer.concat(chunks);
}

/** The slice's own code, hint and details; a code that this version does not know, too. */
function refusalIn(bytes: Buffer, status: number): KiwiError {
  const { code, hint, detail, message, retryable, requestId } = parseMessage(
    operatorRefusal,
    bytes,
    MAX_REFUSAL,
    'slice-answer-invalid',
  );
  if (isErrorCode(code)) {
    return new KiwiError(code, { hint, retryable, requestId, ...(detail === undefined ? {} : { detail }) });
  }
  return new KiwiError('slice-answer-invalid', { hint, requestId, detail: `${status} ${code}: ${message}` });
}
