import type { AgentRequest } from '../../local-api/messages.ts';

/** The command line of a request. Its schema leaves nothing in it that could be an option. */
export function argumentsOf(request: AgentRequest): string[] {
  const { verb, json } = request;
  const given = json ? [verb, '--json'] : [verb];
  if (verb === 'doctor') {
    if (request.check !== undefined && request.check.length > 0) given.push('--check', ...request.check);
    if (request.fix === true) given.push('--fix');
  }
  if (verb === 'enroll') {
    if (request.serial !== undefined) given.push('--serial', String(request.serial));
    if (request.wait !== undefined) given.push('--wait', String(request.wait));
  }
  return given;
}
