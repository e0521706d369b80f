import type { KeyObject } from 'node:crypto';

import { digest } from '../../../../src/core/bytes.ts';
import type { SliceAuthority } from '../../../../src/laptop/exchange/open-slice-answer.ts';
import type { IssueInput } from '../../../../src/pki/issue.ts';
import { signCompact } from '../../../../src/pki/jws.ts';
import { keySigner } from '../../../../src/pki/signer.ts';
import { TYP } from '../../../../src/protocol/common.ts';
import type { DeviceStatus } from '../../../../src/protocol/device-messages.ts';
import { makeGateway, makeIntermediate, makeRoot, type Authority } from '../../pki/test-authority.ts';
import * as examples from '../../protocol/examples.ts';
import { say, type Answer } from './local-gateway.ts';

/** A customer's slice: its keys, as far as its gateway's answers need them. */
export interface Slice {
  readonly root: Authority;
  readonly intermediate: Authority;
  readonly gateway: Authority;
}

/** @param changes to the intermediate; the customer is Acme unless they name another */
export async function makeSlice(root?: Authority, changes: Partial<IssueInput> = {}): Promise<Slice> {
  const top = root ?? (await makeRoot());
  const intermediate = await makeIntermediate(top, undefined, changes);
  return { root: top, intermediate, gateway: await makeGateway(intermediate) };
}

export const authorityOf = (slice: Slice): SliceAuthority => ({
  intermediate: slice.intermediate.certificate,
  roots: [slice.root.certificate],
});

export interface Bend {
  readonly content?: Partial<DeviceStatus>;
  readonly typ?: string;
  readonly signer?: Authority;
  readonly key?: KeyObject;
  readonly x5c?: readonly Buffer[];
  readonly payload?: string;
}

/** The slice's answer to a request, in every part as the gateway makes it, but for what is bent. */
export function signStatus(slice: Slice, request: string, bend: Bend = {}): Promise<string> {
  const content = { ...examples.deviceStatus, requestHash: digest(request), ...bend.content };
  const signer = bend.signer ?? slice.gateway;
  return signCompact({
    typ: bend.typ ?? TYP.deviceStatus,
    payload: bend.payload ?? JSON.stringify(content),
    signer: keySigner(bend.key ?? signer.key),
    x5c: bend.x5c ?? [signer.certificate.der, slice.intermediate.certificate.der],
  });
}

export const answerSigned =
  (slice: Slice, bend: Bend = {}): Answer =>
  (response, request, socket) => {
    void signStatus(slice, request.body.toString(), bend).then((jws) => {
      say(200, 'application/jose', jws)(response, request, socket);
    });
  };
