/** What is nearly exact and half as large as f16; then what is coarser, then what is larger, then what is too coarse. */
const preference = 'q8_0 q6_k q5_k_m q5_k q5_1 q5_0 q4_k_m q4_k q4_1 q4_0 bf16 f16 fp16 f32 q3_k q2_k'.split(' ');

/** The GGUF file to take of those that a folder has: Q8_0 if there is one; undefined for none. */
export function chooseGguf(names: readonly string[]): string | undefined {
  const files = names.filter((name) => /^[^/]+\.gguf$/i.test(name)).sort();
  const rank = (name: string) => {
    const found = preference.findIndex((type) => new RegExp(`(^|[^a-z0-9])${type}([^a-z0-9]|$)`, 'i').test(name));
    return found < 0 ? preference.length : found;
  };
  return files.sort((a, b) => rank(a) - rank(b))[0];
}
