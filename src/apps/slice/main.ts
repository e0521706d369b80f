#!/usr/bin/env node
import { systemClock } from '../../core/clock.ts';
import { runCommands } from '../../terminal/run-commands.ts';
import { sliceProgram } from './slice-program.ts';

const usesNpx = process.env['npm_command'] === 'exec';
const program = sliceProgram({ clock: systemClock, env: process.env });
void runCommands(program, { reader: { is: 'operator', usesNpx }, argv: process.argv });
