import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { Completion, Trace } from '../../index.ts';
import { attentionsOf } from './anatomy.ts';
import { words } from './words/pairs.ts';
import { writtenToken } from './words-of.ts';

/** A text that was written, with what the model made of it on the way. */
export interface PairRun {
  source: readonly string[];
  /** Token by token; in the decoder, row i writes the i-th. */
  target: readonly string[];
  targetIds: readonly number[];
  /** As `trace` takes them: the token that begins a text first. */
  input: { source: string; target: number[] };
  trace: Trace;
}

/** What the model makes of a source and what it wrote from it. */
export async function runOf(
  model: WorkerEncoderDecoder,
  source: string,
  { ids }: Completion,
  signal: AbortSignal,
): Promise<PairRun> {
  const { tokenizer, config } = model;
  const { decoderStartTokenId, bosTokenId } = config.generation;
  const target = [decoderStartTokenId ?? bosTokenId ?? 0, ...ids.slice(0, -1)];
  const input = { source, target };
  const capture = attentionsOf(model.tensors()).map(({ name }) => name);
  const [trace, sourceIds] = await Promise.all([
    model.trace(input, { capture, signal }),
    tokenizer.encode(source, { special: true }),
  ]);
  const into = tokenizer.target ?? tokenizer;
  const labels = (of: typeof into, list: readonly number[]) => Promise.all(list.map((id) => labelOf(of, id)));
  const [read, written] = await Promise.all([labels(tokenizer, sourceIds), labels(into, ids)]);
  return { source: read, target: written, targetIds: ids, input, trace };
}

/** A token as its column shows it. */
async function labelOf(tokenizer: WorkerEncoderDecoder['tokenizer'], id: number): Promise<string> {
  if (id === tokenizer.eosId) return words.end;
  const spelled = await tokenizer.spelling(id);
  return writtenToken(spelled) || '␣';
}
