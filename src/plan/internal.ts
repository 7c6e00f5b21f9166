/** Tensors and weights that an adapter brings begin so: nobody asks for them by name. */
export const isAdded = (name: string): boolean => name.startsWith('adapter ');

/** Tensors that no trace or edit names: what is picked for the logits, and these themselves, which are answered apart. */
export const isInternal = (name: string) => name === 'logits' || name.startsWith('selected') || isAdded(name);
