/** A laptop of the lab, or a virtual one. */
export interface Seat {
  readonly name: string;
  run(
    argv: readonly string[],
    options: { readonly input: string; readonly cwd?: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

/**
 * Somebody without rights signs in to a laptop as a person, by PAM, as `su` does it. Who is let in says who and where they are, and which tickets they
 * have, unless something else is to be done.
 */
export async function signInAs(
  laptop: Seat,
  { uid, password }: { readonly uid: string; readonly password: string },
  todo = 'klist 2>&1 || true',
): Promise<{ readonly letIn: boolean; readonly said: string }> {
  const nobody = ['/usr/bin/setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  const { code, stdout, stderr } = await laptop.run(
    [...nobody, '/usr/bin/su', '-', uid, '-c', `id -un; pwd; ${todo}`],
    {
      input: `${password}\n`,
      cwd: '/',
    },
  );
  return { letIn: code === 0, said: stdout + stderr };
}
