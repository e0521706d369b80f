#!/usr/bin/env node
import { macSystem } from '../../../platform/macos/system.ts';
import { configureTunnel } from '../../../platform/macos/tunnel/configure.ts';
import { KiwiError } from '../../core/errors.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { VERSION } from '../../core/version.ts';
import { carryOut } from '../../terminal/carry-out.ts';

outliveReader();
void carryOut(false, async () => {
  const [tunnel = ''] = process.argv.slice(2);
  if (tunnel === '--version') {
    process.stdout.write(`${VERSION}\n`);
    return 0;
  }
  if (!/^kiwi-[a-z0-9-]{1,10}$/u.test(tunnel))
    throw new KiwiError('usage', { detail: 'the name of a tunnel is needed' });
  await configureTunnel(macSystem, tunnel);
  return 0;
});
