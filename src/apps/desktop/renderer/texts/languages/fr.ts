export { fr as texts } from '../fr.ts';
export { errors } from '../errors/fr.ts';
