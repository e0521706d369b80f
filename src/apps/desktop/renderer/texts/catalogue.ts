import type { en } from './en.ts';

/** A text, or its forms by number (CLDR plural categories). */
export type Text = string | { readonly one: string; readonly other: string };
export type TextKey = keyof typeof en;
/** Every key, in one language. */
export type Catalogue = { readonly [Key in TextKey]: (typeof en)[Key] extends string ? string : Exclude<Text, string> };
