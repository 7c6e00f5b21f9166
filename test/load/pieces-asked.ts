import { pieceBytes } from '../../src/load/cache-download.ts';

/** Which pieces of the weights, of so many bytes, the requests to a `hub` ask for, in whole or in part; the list of tensors aside. */
export function piecesAsked(requests: readonly string[], bytes = pieceBytes): number[] {
  const pieces: number[] = [];
  for (const request of requests) {
    const [, first, last] = /^GET \/cdn\/\w+ bytes=(\d+)-(\d+)$/.exec(request) ?? [];
    if (last === undefined || request.endsWith('bytes=0-65535')) continue;
    for (let piece = Math.floor(Number(first) / bytes); piece * bytes <= Number(last); piece++) pieces.push(piece);
  }
  return pieces;
}
