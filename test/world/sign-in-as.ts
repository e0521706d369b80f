import type { Room } from '../lab/lab.ts';

/**
 * Somebody without rights signs in to a laptop as a person, by PAM, as `su` does it. Who is let in says who and where they are, and which tickets they
 * have.
 */
export async function signInAs(
  laptop: Room,
  { uid, password }: { readonly uid: string; readonly password: string },
): Promise<{ readonly letIn: boolean; readonly said: string }> {
  const nobody = ['/usr/bin/setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const look = 'id -un; pwd; klist 2>&1 || true';
  const { code, stdout, stderr } = await laptop.run([...nobody, '/usr/bin/su', '-', uid, '-c', look], {
    input: `${password}\n`,
    cwd: '/',
  });
  return { letIn: code === 0, said: stdout + stderr };
}
