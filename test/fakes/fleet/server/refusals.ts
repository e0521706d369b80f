import type { FastifyReply } from 'fastify';

/** An answer other than 200, with Fleet's own body. Thrown by handlers, sent by the one error handler. */
export class FleetRefusal extends Error {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>, message: string) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** The form of every refusal outside the osquery plane. */
export function refusal(status: number, message: string, reason = message): FleetRefusal {
  return new FleetRefusal(status, { message, errors: [{ name: 'base', reason }] }, reason);
}

/** The osquery plane's form: osqueryd reads `node_invalid` and enrolls again. */
export function nodeInvalid(error: string): FleetRefusal {
  return new FleetRefusal(401, { error, node_invalid: true }, error);
}

export const authenticationFailed = (): FleetRefusal => refusal(401, 'Authentication failed');
export const authenticationRequired = (): FleetRefusal => refusal(401, 'Authentication required');
export const endUserAuthRequired = (): FleetRefusal => refusal(401, 'END_USER_AUTH_REQUIRED');
export const notFound = (what: string): FleetRefusal =>
  refusal(404, 'Resource Not Found', `${what} was not found in the datastore`);
export const validationFailed = (name: string, reason: string): FleetRefusal =>
  new FleetRefusal(422, { message: 'Validation Failed', errors: [{ name, reason }] }, reason);

/** The state of a host that is asked for is the one that it has: a refusal of its own status since Fleet 4.80. */
export const conflict = (name: string, reason: string): FleetRefusal =>
  new FleetRefusal(409, { message: 'Validation Failed', errors: [{ name, reason }] }, reason);
export const licenceMissing = (): FleetRefusal => refusal(402, 'Requires Fleet Premium license');

/** Sends JSON as Fleet does: indented, with a final line feed. */
export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json; charset=utf-8')
    .send(`${JSON.stringify(body, null, 2)}\n`);
}
