/**
 * Random numbers by counting: the n-th draw of a sequence is a hash of (seed, n, sequence), so any draw can be made on
 * its own, in any order, on the CPU or in a shader. The hash is pcg4d of Jarzynski & Olano, "Hash Functions for GPU
 * Rendering" (JCGT 9(3), 2020): 32-bit unsigned arithmetic only. docs/sampling.md spells it out.
 *
 * @param seed integer from 0 to 2^53 - 1
 * @param index of the token drawn, from 0
 * @param sequence among those drawn together, from 0
 * @returns a number in [0, 1), a multiple of 2^-24, so that float32 holds it exactly
 */
export function uniform(seed: number, index: number, sequence = 0): number {
  let x = advance(seed);
  let y = advance(Math.floor(seed / 2 ** 32));
  let z = advance(index);
  let w = advance(sequence);
  x = (x + Math.imul(y, w)) | 0;
  y = (y + Math.imul(z, x)) | 0;
  z = (z + Math.imul(x, y)) | 0;
  w = (w + Math.imul(y, z)) | 0;
  x ^= x >>> 16;
  y ^= y >>> 16;
  w ^= w >>> 16;
  // The hash's second round would go on with y, z and w, which are not used.
  x = (x + Math.imul(y, w)) | 0;
  return (x >>> 8) * 2 ** -24;
}

/** One step of the linear congruential generator of Numerical Recipes, modulo 2^32. */
const advance = (word: number): number => (Math.imul(word, 1664525) + 1013904223) | 0;

/** A seed where none was given: 53 random bits. */
export function randomSeed(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high >>> 11) * 2 ** 32 + low;
}
