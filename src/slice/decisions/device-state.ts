/** `reserved`: step-ca is being asked for the certificate. `pending`: granted, not confirmed. */
export type DeviceState = 'reserved' | 'pending' | 'active' | 'ended';
