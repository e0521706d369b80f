import type { ClaimScreens } from '../../src/laptop/system/claim-screens.ts';

/** Of systems whose laptops no OEM delivers with a token. */
export const noClaimScreens: ClaimScreens = { prompt: () => Promise.resolve(), window: () => Promise.resolve() };
