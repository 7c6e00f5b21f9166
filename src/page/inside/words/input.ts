/** The words of the station from text to numbers. */
export const words = {
  embedding: 'Token embeddings',
  position: 'Position embeddings',
  sum: 'Their sum: the input of block 0',
};
