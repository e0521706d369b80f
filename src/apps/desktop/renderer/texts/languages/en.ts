export { en as texts } from '../en.ts';
export { errors } from '../errors/en.ts';
