// The only file that imports @peculiar/x509, which needs the metadata polyfill to be loaded before it.
import 'reflect-metadata';

export * from '@peculiar/x509';
