import type { DeviceStatus, StatusRequest } from '../../protocol/device-messages.ts';
import { signInQuestionIn, type SignInAnswer } from '../../protocol/sign-in-directory.ts';
import type { Device } from '../registry/registry.ts';
import { auditOf, type RequestContext, type SliceContext } from '../slice-context.ts';

/**
 * What a laptop is told about signing in, if it asks. Only an active device: what was made for one that has not confirmed might be for nobody.
 * Nor a machine that is not the one that enrolled: an alarm about it is raised already.
 */
export async function sayHowToSignIn(
  { directory, registry, clock, log }: SliceContext,
  device: Device,
  message: StatusRequest,
  hardware: DeviceStatus['hardware'],
  request: RequestContext,
): Promise<SignInAnswer | undefined> {
  const question = signInQuestionIn(message);
  if (question === undefined || device.state !== 'active' || hardware === 'changed') return undefined;
  const office = directory?.signIn;
  if (office === undefined) return { state: 'none' };
  const { id: deviceId, hostName, deviceKey, keyKind } = device;
  const asker = { deviceId, hostName, deviceKey, keyKind };
  const { answer, error } = await office.reply(asker, question.held, () => registry.noteAccount(deviceId, clock.now()));
  if (answer.state === 'given') {
    const why = `${hostName}: ${office.accounts.principal(asker)}`;
    await registry.audit(auditOf(request, 'allowed', { action: 'device.sign-in', why }), clock.now());
  }
  if (answer.state === 'unavailable') {
    const { requestId } = request;
    log.warn({ requestId, deviceId, code: error?.code, detail: error?.detail }, 'a laptop is not told how to sign in');
  }
  return answer;
}
