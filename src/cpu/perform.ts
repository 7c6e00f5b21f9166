import { applyEdits } from '../plan/apply-edits.ts';
import type { Op, Step, StepOf } from '../plan/plan.ts';
import { activation } from './activation.ts';
import { attentionMix } from './attention-mix.ts';
import { attentionScores } from './attention-scores.ts';
import { binary } from './binary.ts';
import { cacheAppend } from './cache-append.ts';
import { embed } from './embed.ts';
import { linear } from './linear.ts';
import { maskedSoftmax } from './masked-softmax.ts';
import { norm, normScale } from './norm.ts';
import { rotate } from './rotate.ts';
import { type Run, unfused } from './run.ts';
import { selectRows } from './select-rows.ts';

/** Performs a step as it is written: nothing is fused here. */
export function perform(step: Step, run: Run): void {
  (performers[step.op] as (step: Step, run: Run) => void)(step, run);
}

const performers: { [K in Op]: (step: StepOf<K>, run: Run) => void } = {
  ...{ embed, binary, normScale, norm, selectRows, linear, rotate, cacheAppend, activation },
  ...{ attentionScores, maskedSoftmax, attentionMix, attention: unfused, rotateAppend: unfused },
  input: ({ output }, { batch, tensor }) => tensor(output).set(batch.input!),
  edit({ tensor, edits }, run) {
    applyEdits(edits, run.plan.tensors.get(tensor)!, run.batch, run.sizes, run.tensor(tensor));
  },
  adjoint: (step, run) => run.adjoint!(step, run),
};
