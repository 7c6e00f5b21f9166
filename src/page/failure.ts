import { type ErrorCode, VitrineError } from '../plan/error.ts';
import { type ModelRef, nameOf } from './sources.ts';
import { strings } from './strings.ts';

/** What can be offered to get out of a failure. */
export type WayOut = 'tryAgain' | 'useEmbedded' | 'useProcessor' | 'otherModel';

/** A failure as a visitor reads it. */
export interface Failure {
  code?: ErrorCode;
  what: string;
  advice: string;
  /** The engine's own words. */
  details: string;
  waysOut: WayOut[];
}

/** An error of loading `ref`, or of running it. */
export function explain(error: unknown, ref: ModelRef, during: 'load' | 'run'): Failure {
  const code = error instanceof VitrineError ? error.code : undefined;
  const [what, advice] = sentence(error, ref, during);
  const details = error instanceof Error ? error.message : String(error);
  const waysOut: WayOut[] = [];
  if (code === 'no-webgpu' || code === 'device-lost') waysOut.push('useProcessor');
  if (!code || code === 'network' || code === 'device-lost') waysOut.push('tryAgain');
  if (during === 'load') waysOut.push('otherModel');
  return { code, what, advice, details, waysOut };
}

export function missing(ref: ModelRef): Failure {
  const [what, advice] = strings.notFound(nameOf(ref));
  return { what, advice, details: '', waysOut: [] };
}

function sentence(error: unknown, ref: ModelRef, during: 'load' | 'run'): [string, string] {
  if (error instanceof VitrineError) {
    if (error.code !== 'network' || during === 'run') return strings.failures[error.code];
    if (/\b(401|403|404)\b/.test(error.message)) return strings.notFound(nameOf(ref));
  }
  const fetching = error instanceof VitrineError || error instanceof TypeError;
  if (fetching && during === 'load') return navigator.onLine ? strings.failures.network : strings.offline;
  return strings.unknownFailure;
}
