/** The field's seeds may be negative; the engine's are integers from 0 to 2^53 - 1. */
export const unsignedSeed = (seed: number): number => (seed < 0 ? seed + 2 ** 53 : seed);
