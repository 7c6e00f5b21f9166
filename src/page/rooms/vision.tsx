import './vision.css';
import { useCallback, useMemo, useState } from 'preact/hooks';
import type { WorkerVision } from '../../embed/client.ts';
import type { ImageSource, Trace } from '../../index.ts';
import { percent } from '../format.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { Matrix } from '../inside/draw/matrix.tsx';
import { useLater } from '../inside/later.ts';
import { softmax } from '../shares.ts';
import { attentionsOf, headOf } from './anatomy.ts';
import { Blocks } from './blocks.tsx';
import { readsDigits } from './digit-image.ts';
import { DigitInput } from './digit-input.tsx';
import { Failed } from './failed.tsx';
import { Fold } from './fold.tsx';
import { type HeadAt, Heads } from './heads.tsx';
import { PictureInput } from './picture-input.tsx';
import { type Pixels, Seen } from './seen.tsx';
import { Shares } from './shares.tsx';
import { words as common } from './words/anatomy.ts';
import { words } from './words/vision.ts';

interface Run {
  pixels: Pixels;
  trace: Trace;
}

/** The room of a model that reads images: what it reads, and where each of its heads looks. */
export function VisionRoom({ model }: { model: WorkerVision }) {
  const isOfDigits = readsDigits(model.config);
  const [image, setImage] = useState<ImageSource | undefined>(undefined);
  const later = useLater(image !== undefined && ((signal) => runOf(model, image, signal)), [image]);
  const { value: run, failure, stale } = later;
  const none = isOfDigits ? words.nothing : words.noPicture;
  return (
    <>
      <div class="put-in">
        <header>
          <h2>{isOfDigits ? words.drawTitle : words.imageTitle}</h2>
          <p class="summary">{words.lead}</p>
        </header>
        <div class="vision-top">
          {isOfDigits ? <DigitInput onImage={setImage} /> : <PictureInput onImage={setImage} />}
          <Answer
            model={model}
            run={run}
            stale={stale}
            empty={image ? failure === undefined && common.reading : none}
          />
        </div>
        <Failed failure={failure} />
      </div>
      <div class="opened" data-stale={failure !== undefined}>
        {run && <Looks model={model} run={run} />}
      </div>
    </>
  );
}

async function runOf(model: WorkerVision, image: ImageSource, signal: AbortSignal): Promise<Run> {
  const pixels = await model.preprocess(image, { signal });
  const capture = ['embed.hook_embed', ...attentionsOf(model.tensors()).map(({ name }) => name)];
  return { pixels, trace: await model.trace(pixels, { capture, signal }) };
}

const mostClasses = 10;

interface AnswerProps {
  model: WorkerVision;
  run: Run | undefined;
  stale: boolean;
  /** What stands where no answer is yet. */
  empty: string | false;
}

function Answer({ model, run, stale, empty }: AnswerProps) {
  const { labels } = model.config;
  const shares = useMemo(() => {
    if (!run || labels.length === 0) return [];
    const all = [...softmax(run.trace.logits.data)].map((share, i) => ({ label: labels[i]!, share }));
    return labels.length <= mostClasses ? all : all.sort((a, b) => b.share - a.share).slice(0, mostClasses);
  }, [run]);
  const best = shares.reduce<(typeof shares)[number] | undefined>(
    (a, b) => (a && a.share >= b.share ? a : b),
    undefined,
  );
  return (
    <section class="answer" aria-label={words.answer} data-stale={stale && run !== undefined}>
      <p class="reads" role="status">
        {best ? (
          <>
            <span class="unseen">{words.answerOf('')}</span>
            <b data-long={best.label.length > 3}>{best.label}</b> <span class="summary">{percent(best.share)}</span>
          </>
        ) : (
          !run && <span class="summary">{empty}</span>
        )}
      </p>
      {shares.length > 0 && <Shares shares={shares} label={words.probabilities} />}
    </section>
  );
}

/** The numbers that the patches become, [patches, nEmbd]. */
function Patches({
  embedded,
  placeOf,
}: {
  embedded: NonNullable<ReturnType<Trace['get']>>;
  placeOf: (patch: number) => string;
}) {
  const { data, shape } = embedded;
  return (
    <Figure title={words.patchesTitle} note={words.patchesNote(shape[1]!)}>
      <Matrix
        label={words.patchesTitle}
        data={data}
        rows={shape[0]!}
        columns={shape[1]!}
        scale="signed"
        tensor="embed.hook_embed"
        describe={(patch, column) => `${placeOf(patch)}, ${column}:`}
        cellSize={[8, 8]}
      />
    </Figure>
  );
}

/** CSS pixels at most, as `.overlay` has them. */
const overlayWidth = 308;

/** Where the heads look, and the numbers that the patches become. */
function Looks({ model, run }: { model: WorkerVision; run: Run }) {
  const { nPrefix, imageSize, patchSize } = model.config;
  const [rows, columns] = [imageSize[0] / patchSize[0], imageSize[1] / patchSize[1]];
  const attentions = useMemo(() => attentionsOf(model.tensors()), [model]);
  const [at, setAt] = useState<HeadAt>({ attention: attentions.at(-1)!, head: 0 });
  /** The row that looks: 0 is the class token. */
  const [query, setQuery] = useState(0);
  const picture = useCallback(
    (shares: Float32Array, _: number, keys: number) => ({
      data: shares.subarray(query * keys + nPrefix, (query + 1) * keys),
      rows,
      columns,
    }),
    [query],
  );
  const tensor = run.trace.get(at.attention.name)!;
  const keys = tensor.shape[2]!;
  const row = headOf(tensor, at.head).subarray(query * keys, (query + 1) * keys);
  const placeOf = (patch: number) => words.patch(Math.floor(patch / columns), patch % columns);
  const from = query === 0 ? words.classToken : placeOf(query - nPrefix);
  return (
    <>
      <Fold title={words.lookTitle} summary={words.lookSummary} open name="heads">
        {() => (
          <Figure title={words.overlay(from, at.attention.layer, at.head)} note={words.lookNote} take="attention">
            <div class="looks">
              <div class="overlay">
                <Matrix
                  label={words.overlay(from, at.attention.layer, at.head)}
                  data={row.subarray(nPrefix)}
                  rows={rows}
                  columns={columns}
                  scale="amount"
                  tensor={at.attention.name}
                  describe={(r, c) => `${words.patch(r, c)}:`}
                  onPick={(r, c) => setQuery(nPrefix + r * columns + c)}
                  {...(query > 0 && {
                    marked: { row: Math.floor((query - nPrefix) / columns), column: (query - nPrefix) % columns },
                  })}
                  cellSize={[overlayWidth / columns, (overlayWidth * imageSize[0]) / imageSize[1] / rows]}
                />
                <Seen pixels={run.pixels} patches={[rows, columns]} under />
              </div>
              <Heads
                attentions={attentions}
                traced={run.trace}
                chosen={at}
                onChoose={setAt}
                picture={picture}
                label={common.heads}
              />
            </div>
            <p class="summary">
              {query === 0 && words.onItself(percent(row[0]!))}{' '}
              {query > 0 && (
                <button type="button" class="quiet" onClick={() => setQuery(0)}>
                  {words.fromClass}
                </button>
              )}
            </p>
          </Figure>
        )}
      </Fold>
      <Fold title={words.patchesTitle} summary={words.patchesSummary} name="patches">
        {() => (
          <div class="patches">
            <Figure title={words.sees} note={words.seesNote(imageSize[0], imageSize[1], rows * columns)}>
              <Seen pixels={run.pixels} patches={[rows, columns]} />
            </Figure>
            <Patches embedded={run.trace.get('embed.hook_embed')!} placeOf={placeOf} />
          </div>
        )}
      </Fold>
      <Blocks
        tensors={model.tensors()}
        trace={(capture, signal) => model.trace(run.pixels, { capture, signal })}
        of={run}
        labels={() => [
          ...Array.from({ length: nPrefix }, () => words.classToken),
          ...Array.from({ length: rows * columns }, (_, i) => placeOf(i)),
        ]}
      />
    </>
  );
}
