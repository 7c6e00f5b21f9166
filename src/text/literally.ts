/** A pattern, with the flag u, of a text as it stands. */
export const literally = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
