export { it as texts } from '../it.ts';
export { errors } from '../errors/it.ts';
