import type { WorkerEncoder } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import { Shares } from '../rooms/shares.tsx';
import { wearing } from './adapter-on.ts';
import { course, isLearning } from './course.ts';
import { tried } from './tried.ts';
import { words } from './words.ts';

/** A text of one's own, at any time: while it learns with what was learnt until the last evaluation. */
export function Try({ model, taught }: { model: WorkerEncoder; taught: Adapter | undefined }) {
  const text = useSettled(tried.value.trim());
  const run = course.value;
  // While it learns the answer follows the evaluations: one for each step would hold the learning up.
  const round = isLearning.value ? run!.steps.filter((step) => step.evaluation).length : undefined;
  const isHeaded = taught?.content.head !== undefined;
  const { value, failure, stale } = useOnce(
    isHeaded && text !== '' && (() => wearing(model, taught, () => scoresOf(model, text), true)),
    [model, text, round ?? taught, isHeaded],
  );
  return (
    <section class="try" aria-labelledby="try-title">
      <h3 id="try-title">{words.tryIt}</h3>
      <p class="summary">{isHeaded ? words.tryLead : words.untaught}</p>
      <input
        type="text"
        dir="auto"
        aria-label={words.tryField}
        value={tried.value}
        onInput={(event) => (tried.value = event.currentTarget.value)}
      />
      <Failed failure={failure} />
      {value && (
        <div data-stale={stale} data-text={value.text}>
          <Shares
            label={words.tryIt}
            shares={value.scores.slice(0, 8).map(({ label, score }) => ({ label, share: score }))}
          />
        </div>
      )}
    </section>
  );
}

async function scoresOf(model: WorkerEncoder, text: string) {
  const [scores] = await model.classify([text], { truncation: true });
  return { text, scores: scores! };
}
