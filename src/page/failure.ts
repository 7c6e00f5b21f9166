import { type ErrorCode, VitrineError } from '../plan/error.ts';
import { type ModelRef, nameOf } from './sources.ts';
import { strings } from './strings.ts';

/** What can be offered to get out of a failure. */
export type WayOut = 'giveToken' | 'tryAgain' | 'useProcessor' | 'otherModel';

/** A failure as a visitor reads it. */
export interface Failure {
  code?: ErrorCode;
  what: string;
  advice: string;
  /** The engine's own words. */
  details: string;
  waysOut: WayOut[];
  /** The hub's id of a model that it hands out to some alone. */
  gated?: string;
}

/** What went wrong, in the engine's own words. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The hub's answer to who has not accepted a model's licence; it has the same one for what is private, or not there. */
function gatedId(error: unknown, ref: ModelRef): string | undefined {
  const refused = error instanceof VitrineError && error.code === 'network' && /\b(401|403)\b/.test(error.message);
  return refused && ref.kind === 'hub' ? ref.id : undefined;
}

/** An error of loading `ref`, or of running it. */
export function explain(error: unknown, ref: ModelRef, during: 'load' | 'run'): Failure {
  const code = error instanceof VitrineError ? error.code : undefined;
  const gated = during === 'load' ? gatedId(error, ref) : undefined;
  const [what, advice] = gated ? strings.gated(gated) : sentence(error, ref, during);
  const waysOut: WayOut[] = [];
  if (code === 'no-webgpu' || code === 'device-lost') waysOut.push('useProcessor');
  if (gated) waysOut.push('giveToken');
  else if (!code || code === 'network' || code === 'device-lost') waysOut.push('tryAgain');
  if (during === 'load') waysOut.push('otherModel');
  return { code, what, advice, details: messageOf(error), waysOut, ...(gated && { gated }) };
}

export function missing(ref: ModelRef): Failure {
  const [what, advice] = strings.notFound(nameOf(ref));
  return { what, advice, details: '', waysOut: [] };
}

/** As the engine says that a browser has no GPU at all; whatever else it says is of one that is there. */
export const hasNone = /There is no WebGPU here|offers no adapter/;

function sentence(error: unknown, ref: ModelRef, during: 'load' | 'run'): [string, string] {
  if (error instanceof VitrineError) {
    if (error.code === 'no-webgpu' && !hasNone.test(error.message)) return strings.gpuFails;
    if (/worker failed/.test(error.message)) return strings.unknownFailure;
    if (error.code !== 'network' || during === 'run') return strings.failures[error.code];
    if (/\b(401|403|404)\b/.test(error.message)) return strings.notFound(nameOf(ref));
  }
  const fetching = error instanceof VitrineError || error instanceof TypeError;
  if (fetching && during === 'load') return navigator.onLine ? strings.failures.network : strings.offline;
  return strings.unknownFailure;
}
