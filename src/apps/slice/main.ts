#!/usr/bin/env node
import { systemClock } from '../../core/clock.ts';
import { sliceProgram } from './slice-program.ts';

process.exitCode = await sliceProgram(process.argv, { clock: systemClock, env: process.env });
