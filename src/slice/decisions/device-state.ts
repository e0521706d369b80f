/** `reserved`: step-ca is being asked. `pending`: granted, not confirmed. */
export type DeviceState = 'reserved' | 'pending' | 'active' | 'ended';
