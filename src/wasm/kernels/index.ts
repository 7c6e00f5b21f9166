import { linearBack, linearWeight } from './adjoint';
import {
  activationBack,
  appendBack,
  columnSums,
  crossEntropy,
  keysBack,
  mixBack,
  normBack,
  rotateBack,
  scoresBack,
  selectBack,
  softmaxBack,
} from './adjoint-rows';
import { attentionMix, attentionScores, maskedSoftmax, totals } from './attention';
import { attention } from './attention-block';
import {
  hasI8Products,
  rowOfPairsQ4,
  rowOfPairsQ8,
  tileOfFivePairs,
  tileOfFiveQ8,
  tileOfFourPairs,
  tileOfFourFours,
  tileOfFourQ8,
  tileOfSixFours,
} from './integer-tiles';
import { linearRow } from './linear-row';
import { linearTile } from './linear-tile';
import { norm, normScale } from './norm';
import { panels, scalePanels, tile, tileOfFour, tileOfOneBf16, tileOfOneF16, tileOfOneF32 } from './panels';
import { activation, binary, cacheAppend, embed, rotate, rotateAppend, selectRows } from './rows';
import { writeNumbers } from './simd';
import { Batch, FEW_PAIRS, FEW_QUANTISED, FEW_ROWS, Format, Op, rowsOf, Step, Table } from './step';
import { enter, epoch, I8_PRODUCTS, join, leave, nextRun, OVER, RUN, start } from './threads';

export { blocksQ4, blocksQ8 } from './blocks';
// A function that is exported is not put into the one that calls it.
export { panels, scalePanels, tile, tileOfFour, tileOfOneBf16, tileOfOneF16, tileOfOneF32 };
export {
  rowOfPairsQ4,
  rowOfPairsQ8,
  tileOfFivePairs,
  tileOfFiveQ8,
  tileOfFourPairs,
  tileOfFourQ8,
  tileOfFourFours,
  tileOfSixFours,
};

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
  if (count == 0) return;
  const run = changetype<Run>(RUN);
  run.steps = steps;
  run.count = count;
  run.batch = batch;
  run.scratch = scratch;
  run.scratchBytes = scratchBytes;
  start();
  work(0);
}

/** Makes this instance thread 0 of `threads`; `i8Products`: whether tiles use them, negative for where they are fast. */
export function lead(threads: i32, mayWait: bool, i8Products: i32): void {
  writeNumbers();
  store<i32>(I8_PRODUCTS, i8Products < 0 ? hasI8Products(I8_PRODUCTS) : i8Products);
  join(0, threads, mayWait);
}

/**
 * The work of any other thread. It is in time for every run that starts after `last` (see `runsSoFar`), and returns the last
 * one when none has started for `milliseconds`; never, if negative.
 */
export function follow(thread: i32, threads: i32, last: i32, milliseconds: i32): i32 {
  join(thread, threads, true);
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
  // What is run is read in each step anew: only who is in one keeps it from changing.
  for (let i = enter(-1); i != OVER; i = enter(i)) {
    const step = changetype<Step>(run.steps + <usize>i * offsetof<Step>());
    perform(step, changetype<Batch>(run.batch), run.scratch + thread * run.scratchBytes);
    leave(run.count);
  }
}

function perform(s: Step, batch: Batch, scratch: usize): void {
  switch (s.op) {
    case Op.embed:
      return embed(s, batch, scratch);
    case Op.binary:
      return binary(s, batch);
    case Op.normScale:
      return normScale(s, batch);
    case Op.norm:
      return norm(s, batch);
    case Op.selectRows:
      return selectRows(s, batch);
    case Op.rotate:
      return rotate(s, batch, scratch);
    case Op.rotateAppend:
      return rotateAppend(s, batch, scratch);
    case Op.linear:
      if (rowsOf(s, batch) == 0) return;
      const isFloat = changetype<Table>(s.tables).format < Format.q8;
      if (rowsOf(s, batch) <= (isFloat ? FEW_ROWS : FEW_QUANTISED)) return linearRow(s, batch, scratch);
      if (isFloat) return linearTile<f32>(s, batch, scratch);
      const isOfMany = rowsOf(s, batch) > FEW_PAIRS;
      if (ASC_FEATURE_RELAXED_SIMD && isOfMany && load<i32>(I8_PRODUCTS)) return linearTile<i8>(s, batch, scratch);
      return linearTile<i16>(s, batch, scratch);
    case Op.cacheAppend:
      return cacheAppend(s, batch);
    case Op.attentionScores:
      return attentionScores(s, batch, scratch);
    case Op.maskedSoftmax:
      return maskedSoftmax(s, batch);
    case Op.attentionMix:
      return attentionMix(s, batch, scratch);
    case Op.attention:
      return attention(s, batch, scratch);
    case Op.activation:
      return activation(s, batch);
    case Op.totals:
      return totals(s, batch);
    case Op.linearBack:
      return linearBack(s, batch, scratch);
    case Op.linearWeight:
      return linearWeight(s, batch, scratch);
    case Op.activationBack:
      return activationBack(s, batch);
    case Op.normBack:
      return normBack(s, batch);
    case Op.softmaxBack:
      return softmaxBack(s, batch);
    case Op.mixBack:
      return mixBack(s, batch, scratch);
    case Op.scoresBack:
      return scoresBack(s, batch);
    case Op.keysBack:
      return keysBack(s, batch);
    case Op.appendBack:
      return appendBack(s, batch);
    case Op.selectBack:
      return selectBack(s, batch);
    case Op.rotateBack:
      return rotateBack(s, batch, scratch);
    case Op.columnSums:
      return columnSums(s, batch);
    case Op.crossEntropy:
      return crossEntropy(s, batch);
  }
}
