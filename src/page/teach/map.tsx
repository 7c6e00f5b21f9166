import { useMemo } from 'preact/hooks';
import type { WorkerEncoder, WorkerVision } from '../../embed/client.ts';
import type { Adapter } from '../../learn/index.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { useOnce } from '../inside/later.ts';
import { Failed } from '../rooms/failed.tsx';
import { wearing } from './adapter-on.ts';
import type { Course, Shown } from './course.ts';
import { agreeing, flattened } from './points.ts';
import { words } from './words.ts';

const mostShown = 96;
/** Tells classes apart by shape as well as by colour. */
const shapes = ['●', '■', '▲', '◆', '★', '✚'];

interface MapProps {
  model: WorkerEncoder | WorkerVision;
  run: Course;
  adapter: Adapter;
}

/** Where the examples lie for the model, before and after. */
export function PointMap({ model, run, adapter }: MapProps) {
  const shown = useMemo(() => [...run.judged, ...run.learnt].slice(0, mostShown), [run.judged, run.learnt]);
  const { value, failure, stale } = useOnce(
    async (signal) => {
      const features = () => featuresOf(model, shown, signal);
      const before = await wearing(model, null, features);
      signal.throwIfAborted();
      return { before, after: await wearing(model, adapter, features) };
    },
    [model, adapter, shown],
  );
  if (failure !== undefined) return <Failed failure={failure} />;
  if (!value) return null;
  return (
    <Figure title={words.map} note={words.mapNote}>
      <p class="legend">
        {run.labels.slice(0, shapes.length).map((label, i) => (
          <span key={label} data-class={i % shapes.length}>
            <b>{shapes[i]}</b> <bdi>{label}</bdi>
          </span>
        ))}
      </p>
      <div class="sides" data-stale={stale}>
        {(['before', 'after'] as const).map((side) => (
          <Plane key={side} side={side} vectors={value[side]} shown={shown} run={run} />
        ))}
      </div>
    </Figure>
  );
}

interface PlaneProps {
  side: 'before' | 'after';
  vectors: readonly Float32Array[];
  shown: readonly Shown[];
  run: Course;
}

function Plane({ side, vectors, shown, run }: PlaneProps) {
  const places = useMemo(() => flattened(vectors), [vectors]);
  const judged = Math.min(run.judged.length, shown.length);
  const right = useMemo(
    () =>
      agreeing(
        vectors,
        shown.map(({ label }) => label),
        Array.from({ length: judged }, (_, i) => i),
      ),
    [vectors, shown, judged],
  );
  return (
    <section aria-label={words.mapLabel(words[side])} data-side={side} data-right={right}>
      <h4>{words[side]}</h4>
      <svg class="plane" viewBox="-1.1 -1.1 2.2 2.2" role="img" aria-label={words.mapLabel(words[side])}>
        {places.map(([x, y], i) => {
          const kind = run.labels.indexOf(shown[i]!.label) % shapes.length;
          return (
            <text key={i} x={x} y={-y} data-class={kind} data-judged={i < judged}>
              <title>{shown[i]!.text}</title>
              {shapes[kind]}
            </text>
          );
        })}
      </svg>
      <p class="summary">{words.nearest(right, judged)}</p>
    </section>
  );
}

/** What a new last layer stands on: the embedding that a model of sentences makes, else the first token's last hidden state, or the class token's. */
async function featuresOf(
  model: WorkerEncoder | WorkerVision,
  shown: readonly Shown[],
  signal: AbortSignal,
): Promise<Float32Array[]> {
  if (!('tokenizer' in model)) {
    const found: Float32Array[] = [];
    for (const { pixels } of shown) found.push(await model.features(pixels!, { signal }));
    return found;
  }
  const texts = shown.map(({ text }) => text);
  if (!model.sentences.isPlain) return model.embed(texts, { signal });
  const { hidden, pooled } = await model.run(texts, { signal, truncation: true });
  if (pooled && model.config.head === undefined) return pooled.map(({ data }) => data);
  return hidden.map(({ data, shape }) => data.slice(0, shape[1]!));
}
