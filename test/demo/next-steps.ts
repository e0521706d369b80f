/** What to try next, as commands that can be typed. */
export function nextSteps({ kept, dir }: { readonly kept: boolean; readonly dir: string }): string {
  if (!kept) return '\nTo keep it running and try it yourself: npm run demo -- --keep';
  return `
The slice, the laptop ada and its YubiKey keep running. Their folder is ${dir}

  npm run lab -- shell ada                a shell on the laptop (the YubiKey's PIN is 123456)
      kiwistack-enroll status
      kiwistack-enroll uninstall
      kiwistack-enroll enroll

  npm run lab -- shell slice              a shell on the slice's machine, without sudo; D is the folder
      kiwistack-operator device list --dir $D/slice/acme
      kiwistack-operator audit list --dir $D/slice/acme
      kiwistack-operator yubikey burn --dir $D/slice/acme --serial 12345678

  npm run lab -- down                     stops everything; the folder stays`;
}
