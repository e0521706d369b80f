#!/usr/bin/env node
import { systemClock } from '../../core/clock.ts';
import { runCommands } from '../../terminal/run-commands.ts';
import { mspProgram } from './msp-program.ts';

const usesNpx = process.env['npm_command'] === 'exec';
void runCommands(mspProgram({ clock: systemClock }), { reader: { is: 'operator', usesNpx }, argv: process.argv });
