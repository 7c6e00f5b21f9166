import type { LogitRow } from '../plan/backend.ts';
import type { Tokenizer } from '../text/tokenizer.ts';
import { logSumExp } from './log-sum-exp.ts';
import type { Settings } from './options.ts';
import { type Clock, type Scored, scored } from './output.ts';
import { best, broken, excludedAll, processLogits } from './sampling.ts';
import type { Session } from './session.ts';

/** A running beam: its text's cache is in `slot`. */
interface Beam {
  tokens: Scored[];
  /** Log-probability of its tokens after the processors. */
  sum: number;
  slot: number;
}

export interface Hypothesis {
  tokens: Scored[];
  /** sum / length ** lengthPenalty */
  score: number;
}

interface Candidate {
  beam: Beam;
  row: LogitRow;
  id: number;
  sum: number;
}

interface Search {
  prompt: number[];
  settings: Settings;
  tokenizer: Tokenizer;
  /** Tokens until the context is full. */
  room: number;
  clock: Clock;
}

/**
 * Beam search as in Hugging Face transformers: the processors work on log-probabilities, and a text may end only with
 * an end-of-text token among the `numBeams` best candidates of its step. Best first, at least one.
 * @param session with a slot for each beam
 */
export async function beamSearch(session: Session, search: Search): Promise<Hypothesis[]> {
  const { prompt, settings, room, clock } = search;
  const { numBeams, lengthPenalty, earlyStopping, maxNewTokens, eosTokenIds, signal } = settings;
  clock.start();
  let rows = [await session.prefill(prompt, signal)];
  let running: Beam[] = [{ tokens: [], sum: 0, slot: 0 }];
  let finished: Hypothesis[] = [];
  for (let length = 1; ; length++) {
    const ranked = rank(running, rows, search);
    const finish = (tokens: Scored[], sum: number) => {
      finished.push({ tokens, score: sum / length ** lengthPenalty });
      finished = finished.sort((a, b) => b.score - a.score).slice(0, numBeams);
    };
    const next: Beam[] = [];
    for (const [place, { beam, row, id, sum }] of ranked.entries()) {
      if (next.length === numBeams) break;
      const ends = eosTokenIds.includes(id);
      if (ends && place >= numBeams) continue;
      const tokens = [...beam.tokens, scored(id, row, settings.topLogprobs, search.tokenizer)];
      if (ends) finish(tokens, sum);
      else next.push({ tokens, sum, slot: beam.slot });
    }
    clock.stop(next.length);
    const attainable = ranked[0] ? ranked[0].sum / length ** lengthPenalty : Number.NEGATIVE_INFINITY;
    if (finished.length === numBeams && (earlyStopping || finished.at(-1)!.score >= attainable)) break;
    if (length === Math.min(maxNewTokens, room)) for (const { tokens, sum } of next) finish(tokens, sum);
    if (next.length === 0 && finished.length === 0) throw excludedAll();
    if (next.length === 0 || length === Math.min(maxNewTokens, room)) break;
    clock.start();
    await session.copySlots(settle(next, numBeams), signal);
    running = next;
    const last = running.map(({ tokens, slot }) => ({ token: tokens.at(-1)!.id, slot }));
    rows = await session.decode(last, signal);
  }
  return finished.slice(0, settings.numReturnSequences);
}

/** The best candidates of all beams, best first, the lower beam and id first among equals: enough to find numBeams that go on. */
function rank(running: Beam[], rows: LogitRow[], { prompt, settings }: Search): Candidate[] {
  const count = Math.max(2, 1 + settings.eosTokenIds.length) * settings.numBeams;
  const candidates = running.flatMap((beam, i) => {
    const { logits, total = logSumExp(logits) } = rows[i]!;
    const row = { logits, total };
    if (Number.isNaN(total)) throw broken(logits.findIndex(Number.isNaN), Number.NaN);
    const generated = beam.tokens.map((token) => token.id);
    const scores = processLogits(logits, settings, { prompt, generated }, total);
    const score = (id: number) => (scores === logits ? Math.fround(logits[id]! - total) : scores[id]!);
    return best(scores, count).map((id) => ({ beam, row, id, sum: beam.sum + score(id) }));
  });
  const possible = candidates.filter(({ sum }) => sum > Number.NEGATIVE_INFINITY);
  return possible.sort((a, b) => b.sum - a.sum).slice(0, count);
}

/** Gives every beam a slot of its own, its parent's where no other has it; the copies that takes. */
function settle(beams: Beam[], slots: number): { from: number; to: number }[] {
  const homes = new Set(beams.map(({ slot }) => slot));
  const free = [...Array(slots).keys()].filter((slot) => !homes.has(slot));
  return beams.flatMap((beam) => {
    if (homes.delete(beam.slot)) return [];
    const move = { from: beam.slot, to: free.shift()! };
    beam.slot = move.to;
    return [move];
  });
}
