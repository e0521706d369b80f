import { CLI, FLEET_URL, INTRANET_URL, PIN } from '../world/world.ts';
import { operatorTypes } from './operator-types.ts';
import type { Scene } from './scene.ts';

/** The laptop is stolen: wiped, and shut out of everything, with one command; then it is found. */
export async function playLaptopLost({ world, laptop, say }: Scene): Promise<object> {
  const reaches = async (url: string): Promise<string> => {
    const { code } = await laptop.run(['/usr/bin/curl', '-sk', '-o', '/dev/null', '--max-time', '3', url]);
    return code === 0 ? 'answers' : 'does not answer';
  };
  say(
    '\nThe laptop ada is stolen, with its disk unlocked. Its agent asks Fleet every half minute what is to be done. (Fleet is a test server here: nothing is erased.)',
  );
  const began = performance.now();
  await operatorTypes({ world, say }, [
    'device',
    'lost',
    'ada',
    '--wipe',
    '--why',
    'left in a train',
    '--yes',
    '--wait',
    '90',
  ]);
  const ms = performance.now() - began;
  const [intranet, fleet] = [await reaches(INTRANET_URL), await reaches(FLEET_URL)];
  say(`\nFrom the laptop, with all that was on its disk:\n  the intranet ${intranet}\n  Fleet        ${fleet}`);
  await operatorTypes({ world, say }, ['device', 'show', 'ada']);
  say('\nIt was found. It enrolls again only because an operator consents:');
  await operatorTypes({ world, say }, ['device', 'consent', 'ada', '--why', 'found']);
  await laptop.run([...CLI, 'uninstall']);
  const enrolled = await laptop.run([...CLI, 'enroll', '--pin-fd', '0'], { input: `${PIN}\n` });
  say(enrolled.stdout.trimEnd().split('\n').slice(-2).join('\n'));
  if (enrolled.code !== 0 || intranet === 'answers' || fleet === 'answers') {
    throw new Error(`the scenario went otherwise: ${enrolled.stderr}`);
  }
  return { scenario: 'laptop-lost', lostMs: ms };
}
