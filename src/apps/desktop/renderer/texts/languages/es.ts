export { es as texts } from '../es.ts';
export { errors } from '../errors/es.ts';
