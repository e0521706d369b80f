export const YUBICO_ROOTS = '';
