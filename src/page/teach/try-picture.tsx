import { useState } from 'preact/hooks';
import type { WorkerVision } from '../../embed/client.ts';
import type { ImageSource } from '../../index.ts';
import type { Adapter } from '../../learn/index.ts';
import { messageOf } from '../failure.ts';
import { useOnce } from '../inside/later.ts';
import { centredDigit, type Grey, readsDigits } from '../rooms/digit-image.ts';
import { Failed } from '../rooms/failed.tsx';
import { Pad } from '../rooms/pad.tsx';
import { PictureInput } from '../rooms/picture-input.tsx';
import { Shares } from '../rooms/shares.tsx';
import { wearing } from './adapter-on.ts';
import { course, isLearning } from './course.ts';
import { Miniature } from './miniature.tsx';
import { triedPicture } from './pictures.ts';
import { words } from './words.ts';

/** A picture of one's own, at any time: while it learns with what was learnt until the last evaluation. */
export function TryPicture({ model, taught }: { model: WorkerVision; taught: Adapter | undefined }) {
  const isOfDigits = readsDigits(model.config);
  const picture = triedPicture.value;
  const run = course.value;
  // While it learns the answer follows the evaluations: one for each step would hold the learning up.
  const round = isLearning.value ? run!.steps.filter((step) => step.evaluation).length : undefined;
  const isHeaded = taught?.content.head !== undefined;
  const [refused, setRefused] = useState<string | undefined>(undefined);
  const take = (image: ImageSource) =>
    model.preprocess(image).then(
      (pixels) => {
        setRefused(undefined);
        triedPicture.value = pixels;
      },
      (error: unknown) => setRefused(messageOf(error)),
    );
  const onDraw = (drawn: Grey, isOwn: boolean) => {
    const digit = isOwn ? centredDigit(drawn) : undefined;
    if (digit) void take({ ...digit, channels: 1 });
  };
  const { value, failure, stale } = useOnce(
    isHeaded && picture && (() => wearing(model, taught, () => model.classify(picture, { topK: 8 }), true)),
    [model, picture, round ?? taught, isHeaded],
  );
  return (
    <section class="try" aria-labelledby="try-title">
      <h3 id="try-title">{isOfDigits ? words.tryDrawing : words.tryPicture}</h3>
      <p class="summary">{isHeaded ? words.tryLead : words.untaught}</p>
      <div class="try-picture">
        {isOfDigits ? (
          <Pad base={undefined} onDraw={onDraw} onClear={() => (triedPicture.value = undefined)} />
        ) : (
          <PictureInput onImage={(image) => void take(image)} />
        )}
        {picture && (
          <div class="tried" data-stale={stale}>
            <Miniature pixels={picture} label={words.triedPicture} />
            {value && (
              <Shares label={words.tryIt} shares={value.map(({ label, score }) => ({ label, share: score }))} />
            )}
          </div>
        )}
      </div>
      {refused && <p class="wrong">{refused}</p>}
      <Failed failure={failure} />
    </section>
  );
}
