/** What to try next, in words that can be typed. */
export function nextSteps({ kept, dir }: { readonly kept: boolean; readonly dir: string }): string {
  if (!kept) {
    return `
To play with it yourself: npm run demo -- --keep
It then leaves the slice, the laptop and its key running, and tells how to use them.`;
  }
  const slice = `${dir}/slice/acme`;
  return `
The slice, the laptop "ada" and its YubiKey stay. Try:

  npm run lab -- shell ada                    a shell on the laptop; there, for example:
      npx kiwistack-enroll status             is every part as it should be?
      npx kiwistack-enroll enroll             a second run says "already enrolled"
      npx kiwistack-enroll uninstall          everything goes, here and at the slice
      npx kiwistack-enroll enroll             again; a wrong PIN is refused and leaves nothing (PIN 123456)

  npm run lab -- shell slice                  the slice's machine; there, for example:
      npx kiwistack-operator device list --dir ${slice}
      npx kiwistack-operator audit list --dir ${slice}
      npx kiwistack-operator yubikey burn --dir ${slice} --serial 12345678
                                              then uninstall and enroll on the laptop: the burned key is refused

  npm run lab -- list                         the rooms
  npm run lab -- down                         the end: everything goes`;
}
