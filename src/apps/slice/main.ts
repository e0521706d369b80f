#!/usr/bin/env node
import { systemClock } from '../../core/clock.ts';
import { outliveReader } from '../../core/outlive-reader.ts';
import { sliceProgram } from './slice-program.ts';

outliveReader();
process.exitCode = await sliceProgram(process.argv, { clock: systemClock, env: process.env });
