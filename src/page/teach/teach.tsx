import '../inside/inside.css';
import '../rooms/room.css';
import '../rooms/encoder.css';
import '../rooms/look.css';
import '../rooms/vision.css';
import './teach.css';
import './learning.css';
import './compare.css';
import './albums.css';
import './depth.css';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { WorkerEncoder, WorkerEncoderDecoder, WorkerModel, WorkerVision } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { bringIntoView } from '../inside/into-view.ts';
import { opened, show } from '../models.ts';
import { nameOf } from '../sources.ts';
import { chosen, type Pupil } from './adapter-on.ts';
import { Albums } from './albums.tsx';
import { Classes } from './classes.tsx';
import { Confusion } from './confusion.tsx';
import { course, evaluation, isLearning, slowed } from './course.ts';
import { Curve } from './curve.tsx';
import { DepthLesson } from './depth.tsx';
import { GoesOn } from './goes-on.tsx';
import { HeadsMoved } from './heads-moved.tsx';
import { Keep, PutOn } from './keep.tsx';
import { PointMap } from './map.tsx';
import { Becomes, Pairs } from './pairs.tsx';
import { triedPicture } from './pictures.ts';
import { Progress } from './progress.tsx';
import { Style } from './style.tsx';
import { tried } from './tried.ts';
import { Try } from './try.tsx';
import { TryPicture } from './try-picture.tsx';
import { words } from './words.ts';

/** The model that is open learns from the visitor's examples. */
export function Teach() {
  const { ref, model } = opened.value!;
  const section = useRef<HTMLElement>(null);
  useEffect(() => {
    if (section.current) bringIntoView(section.current);
  }, []);
  const readsTexts = model instanceof WorkerEncoder || model instanceof WorkerModel;
  return (
    <section ref={section} class="teach inside" aria-labelledby="teach-title">
      <header>
        <h2 id="teach-title">{words.title}</h2>
        <p class="summary">{words.lead(nameOf(ref))}</p>
      </header>
      <p class="local">{slowed.value && isLearning.value ? words.slowed : words.local}</p>
      {(model instanceof WorkerEncoder || model instanceof WorkerVision) && <OfClasses model={model} />}
      {model instanceof WorkerModel && <OfStyle model={model} name={nameOf(ref)} />}
      {model instanceof WorkerEncoderDecoder && <OfPairs model={model} />}
      <PutOn model={model} />
      {readsTexts && <DepthLesson model={model} />}
    </section>
  );
}

/** What a model has learnt here, or else has on by choice. */
function taughtOf(model: Pupil): Adapter | undefined {
  const { model: of, adapter } = chosen.value ?? {};
  return course.value?.adapter ?? (of === model ? adapter : undefined);
}

function OfClasses({ model }: { model: WorkerEncoder | WorkerVision }) {
  const run = course.value;
  const taught = taughtOf(model);
  const reads = 'tokenizer' in model;
  const looked = reads ? { text: tried.value } : { text: words.triedPicture, pixels: triedPicture.value };
  return (
    <>
      {reads ? <Classes model={model} /> : <Albums model={model} />}
      {run && <Progress run={run} />}
      {run && run.steps.length > 0 && (
        <div class="learning">
          <Curve run={run} note={words.curveNote.classes} guess={Math.log(run.labels.length)} />
          <Confusion
            run={run}
            onTry={({ text, pixels }) => (reads ? (tried.value = text) : (triedPicture.value = pixels))}
          />
        </div>
      )}
      {reads ? <Try model={model} taught={taught} /> : <TryPicture model={model} taught={taught} />}
      {run?.adapter && !isLearning.value && (
        <>
          <PointMap model={model} run={run} adapter={run.adapter} />
          <HeadsMoved model={model} method={run.method} adapter={run.adapter} {...looked} />
          <Keep model={model} adapter={run.adapter} />
        </>
      )}
    </>
  );
}

function OfPairs({ model }: { model: WorkerEncoderDecoder }) {
  const run = course.value;
  const taught = taughtOf(model);
  return (
    <>
      <Pairs model={model} />
      {run && <Progress run={run} />}
      {run && run.steps.length > 0 && <Curve run={run} note={words.curveNote.pairs} />}
      {evaluation.value && <p class="says">{words.perplexity(Math.exp(evaluation.value.loss))}</p>}
      {taught && !isLearning.value && <Becomes model={model} adapter={taught} />}
      {run?.adapter && !isLearning.value && <Keep model={model} adapter={run.adapter} />}
    </>
  );
}

function OfStyle({ model, name }: { model: WorkerModel; name: string }) {
  const run = course.value;
  const taught = taughtOf(model);
  const [midway, setMidway] = useState<Adapter | undefined>(undefined);
  useLayoutEffect(() => setMidway(undefined), [run?.state === 'begins']);
  // While it learns it writes when it is asked to: each time holds the learning up.
  const writes = isLearning.value ? run?.adapter && midway : taught;
  return (
    <>
      <Style model={model} name={name} />
      {run ? (
        <Progress run={run} />
      ) : (
        <p>
          <button type="button" class="quiet" onClick={() => void show({ kind: 'embedded', name: 'tiny-blanks' })}>
            {words.classesInstead}
          </button>
        </p>
      )}
      {run && run.steps.length > 0 && <Curve run={run} note={words.curveNote.style} />}
      {evaluation.value && <p class="says">{words.perplexity(Math.exp(evaluation.value.loss))}</p>}
      {isLearning.value && run?.adapter && (
        <p>
          <button type="button" class="plain" onClick={() => setMidway(run.adapter)}>
            {words.tryMidway}
          </button>
        </p>
      )}
      {writes && <GoesOn model={model} adapter={writes} />}
      {run?.adapter && !isLearning.value && (
        <>
          <HeadsMoved model={model} method={run.method} adapter={run.adapter} text={words.beginningOpening} />
          <Keep model={model} adapter={run.adapter} />
        </>
      )}
    </>
  );
}
