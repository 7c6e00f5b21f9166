import type { Tokenizer } from '../text/tokenizer.ts';
import type { Engine } from './engine.ts';
import { beginning } from './generate.ts';
import type { Settings } from './options.ts';
import { Clock, type Completion, completionOf, type Output, scored } from './output.ts';
import { sample } from './sampling.ts';
import { Session } from './session.ts';

/** The most texts at once: each has keys and values of its own. */
const mostSlots = 32;

/** A prompt and how it is continued. */
export interface Task {
  prompt: number[];
  settings: Settings;
}

/** A text under way in a slot. */
interface Lane extends Task {
  task: number;
  slot: number;
  output: Output;
  clock: Clock;
  /** Ids that are not run yet: what is left of the prompt, or the last token. */
  ahead: number[];
}

/** Whether a text can share its runs with others: it is one sequence, without a plan, drafts or a window of its own. */
export const sharesRuns = ({ numBeams, numReturnSequences, speculate, edits, onContextFull }: Settings): boolean =>
  numBeams === 1 && numReturnSequences === 1 && !speculate && edits.length === 0 && onContextFull === 'stop';

/**
 * Continues prompts side by side: each run has a row of every text that is being written, and what room is left is for prompts, piece
 * by piece. A slot that is done takes the next prompt. Completions are in the order of the prompts, each as it is alone.
 */
export async function completeAll(
  engine: Engine,
  tokenizer: Tokenizer,
  tasks: readonly Task[],
  signal: AbortSignal | undefined,
): Promise<Completion[]> {
  const outputs = tasks.map(({ prompt, settings }) => beginning({ engine, tokenizer, prompt, settings }));
  const text = Math.max(...tasks.map(({ prompt, settings }) => prompt.length + settings.maxNewTokens));
  const session = new Session(engine, Math.min(tasks.length, mostSlots), engine.plan, undefined, { text });
  const done: Completion[] = [];
  const lanes = new Map<number, Lane>();
  let next = 0;
  const begin = (slot: number) => {
    if (next === tasks.length) return lanes.delete(slot);
    const { prompt, settings } = tasks[next]!;
    session.held[slot]!.length = 0;
    lanes.set(slot, {
      ...{ task: next, slot, prompt, settings },
      ...{ output: outputs[next]!, clock: new Clock(), ahead: [...prompt] },
    });
    return next++;
  };
  try {
    for (let slot = 0; slot < session.slots; slot++) begin(slot);
    while (lanes.size > 0) {
      const parts = shares([...lanes.values()], session.size.rows);
      for (const { lane } of parts)
        if (lane.output.ids.length > 0 || session.held[lane.slot]!.length === 0) lane.clock.start();
      const logits = await session.advance(
        parts.map(({ lane, ids, isLast }) => ({ slot: lane.slot, ids, wants: isLast })),
        signal,
      );
      for (const [i, { lane }] of parts.filter(({ isLast }) => isLast).entries()) {
        const { prompt, settings, output, clock } = lane;
        const id = sample(logits[i]!, settings, { prompt, generated: output.ids }, 0);
        output.push(scored(id, logits[i]!, settings.topLogprobs, tokenizer));
        clock.stop(1);
        lane.ahead = [id];
        if (!output.finishReason) continue;
        done[lane.task] = completionOf([output], { prompt: prompt.length, settings, cached: 0, clock });
        begin(lane.slot);
      }
      signal?.throwIfAborted();
    }
    engine.proved();
    return done;
  } finally {
    session.dispose();
  }
}

/** What of each text is run next, in so many rows: a token of each that is being written, then pieces of prompts. */
function shares(lanes: readonly Lane[], rows: number): { lane: Lane; ids: number[]; isLast: boolean }[] {
  let left = rows;
  const writing = (lane: Lane) => lane.output.ids.length > 0;
  return [...lanes.filter(writing), ...lanes.filter((lane) => !writing(lane))].flatMap((lane) => {
    const ids = lane.ahead.splice(0, left);
    left -= ids.length;
    return ids.length > 0 ? [{ lane, ids, isLast: lane.ahead.length === 0 }] : [];
  });
}
