/** Whether a key is for the input method: WebKit says that of the one that ends a word by its code alone. */
export const isComposing = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === 229;

/** Keyboards whose Control is for the system. */
export const apple = /Mac|iPhone|iPad/.test(navigator.platform);
