/** What to try next, as commands that can be typed. */
export function nextSteps(all: { readonly kept: boolean; readonly dir: string; readonly oem: boolean }): string {
  const { kept, dir, oem } = all;
  if (!kept) return '\nTo keep it running and try it yourself: npm run demo -- --keep';
  if (oem) return afterClaim(dir);
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

const afterClaim = (dir: string): string => `
The slice and the laptop ada, which has claimed itself, keep running. Their folder is ${dir}

  npm run lab -- shell ada                a shell on the laptop
      kiwistack-enroll status
      kiwistack-enroll doctor

  npm run lab -- shell slice              a shell on the slice's machine, without sudo; D is the folder
      kiwistack-operator batch list --dir $D/slice/acme
      kiwistack-operator device list --dir $D/slice/acme
      kiwistack-operator audit list --dir $D/slice/acme
      printf 'serial\\nPF3XK2AB\\n' >laptops.csv
      kiwistack-operator batch create next --list laptops.csv --role engineer --output tokens --dir $D/slice/acme

  npm run lab -- down                     stops everything; the folder stays`;
