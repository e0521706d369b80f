export { de as texts } from '../de.ts';
export { errors } from '../errors/de.ts';
