import { attention, attentionMix, attentionScores, maskedSoftmax } from './attention';
import { layerNorm, layerNormScale } from './layer-norm';
import { linearRow } from './linear-row';
import { linearTile } from './linear-tile';
import { activation, add, cacheAppend, embed, selectRows } from './rows';
import {
  ACTIVATION,
  ADD,
  ATTENTION,
  ATTENTION_MIX,
  ATTENTION_SCORES,
  Batch,
  CACHE_APPEND,
  EMBED,
  LAYER_NORM,
  LAYER_NORM_SCALE,
  LINEAR,
  MASKED_SOFTMAX,
  SELECT_ROWS,
  Step,
} from './step';
import { barrier, epoch, join, nextRun, RUN, start } from './threads';

/** Up to so many rows a linear reads the weights row by row; beyond, it unpacks them to tiles first. */
const FEW_ROWS = 4;

/** A run as its caller leaves it in memory for the other threads. */
@unmanaged
class Run {
  steps: usize;
  count: i32;
  batch: usize;
  scratch: usize;
  scratchBytes: usize;
}

/** Runs steps over a batch with all threads; the caller's is thread 0. */
export function run(steps: usize, count: i32, batch: usize, scratch: usize, scratchBytes: usize): void {
  const run = changetype<Run>(RUN);
  run.steps = steps;
  run.count = count;
  run.batch = batch;
  run.scratch = scratch;
  run.scratchBytes = scratchBytes;
  start();
  work(0);
}

/** Makes this instance thread 0 of `threads`. */
export function lead(threads: i32, mayWait: bool): void {
  join(threads, mayWait);
}

/**
 * The work of any other thread. It is in time for every run that starts after `last` (see `runsSoFar`), and returns the last
 * one when none has started for `milliseconds`; never, if negative.
 */
export function follow(thread: i32, threads: i32, last: i32, milliseconds: i32): i32 {
  join(threads, true);
  let next = nextRun(last, milliseconds);
  while (next != last) {
    last = next;
    work(thread);
    next = nextRun(last, milliseconds);
  }
  return last;
}

export function runsSoFar(): i32 {
  return epoch();
}

function work(thread: i32): void {
  const run = changetype<Run>(RUN);
  const batch = changetype<Batch>(run.batch);
  const scratch = run.scratch + thread * run.scratchBytes;
  const count = run.count;
  let step = run.steps;
  for (let i = 0; i < count; i++, step += offsetof<Step>()) {
    perform(changetype<Step>(step), batch, scratch);
    barrier();
  }
}

function perform(s: Step, batch: Batch, scratch: usize): void {
  switch (s.op) {
    case EMBED:
      return embed(s, batch, scratch);
    case ADD:
      return add(s, batch);
    case LAYER_NORM_SCALE:
      return layerNormScale(s, batch);
    case LAYER_NORM:
      return layerNorm(s, batch);
    case SELECT_ROWS:
      return selectRows(s, batch);
    case LINEAR:
      if ((s.select ? batch.logitRows : batch.rows) <= FEW_ROWS) return linearRow(s, batch, scratch);
      return linearTile(s, batch, scratch);
    case CACHE_APPEND:
      return cacheAppend(s, batch);
    case ATTENTION_SCORES:
      return attentionScores(s, batch, scratch);
    case MASKED_SOFTMAX:
      return maskedSoftmax(s, batch);
    case ATTENTION_MIX:
      return attentionMix(s, batch);
    case ATTENTION:
      return attention(s, batch, scratch);
    case ACTIVATION:
      return activation(s, batch);
  }
}
