interface Kept {
  readonly kept: boolean;
  readonly dir: string;
  /** The laptop has claimed itself, and there is no YubiKey. */
  readonly oem: boolean;
}

/** What to try next, as commands that can be typed. */
export function nextSteps({ kept, dir, oem }: Kept): string {
  if (!kept) return '\nTo keep it running and try it yourself: npm run demo -- --keep';
  const { keep, pin, laptop, slice } = oem ? CLAIMED : BY_YUBIKEY;
  const lines = (commands: readonly string[]): string => commands.map((one) => `\n      ${one}`).join('');
  return `
The slice${keep} keep running. Their folder is ${dir}

  npm run lab -- shell ada                a shell on the laptop${pin}${lines(laptop)}

  npm run lab -- shell slice              a shell on the slice's machine, without sudo; D is the folder${lines([...LOOK, ...slice])}

  npm run lab -- down                     stops everything; the folder stays`;
}

const OF_SLICE = '--dir $D/slice/acme';
const LOOK = [`kiwistack-operator device list ${OF_SLICE}`, `kiwistack-operator audit list ${OF_SLICE}`];
const BY_YUBIKEY = {
  keep: ', the laptop ada and its YubiKey',
  pin: " (the YubiKey's PIN is 123456)",
  laptop: ['kiwistack-enroll status', 'kiwistack-enroll uninstall', 'kiwistack-enroll enroll'],
  slice: [`kiwistack-operator yubikey burn ${OF_SLICE} --serial 12345678`],
};
const CLAIMED = {
  keep: ' and the laptop ada, which has claimed itself,',
  pin: '',
  laptop: ['kiwistack-enroll status', 'kiwistack-enroll doctor'],
  slice: [
    `kiwistack-operator batch list ${OF_SLICE}`,
    String.raw`printf 'serial\nPF3XK2AB\n' >laptops.csv`,
    `kiwistack-operator batch create next --list laptops.csv --role engineer --output tokens ${OF_SLICE}`,
  ],
};
