import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { WorkerEncoder, type WorkerModel } from '../../embed/client.ts';
import { gradients, type LeftOut } from '../../learn/index.ts';
import { shortNumber } from '../format.ts';
import { useWidth } from '../inside/draw/width.ts';
import { useOnce } from '../inside/later.ts';
import { adapted, loadBeside } from '../models.ts';
import { Failed } from '../rooms/failed.tsx';
import { Fold } from '../rooms/fold.tsx';
import { momentsOf } from '../shares.ts';
import { shownText } from '../writing.ts';
import { seededFiles, seededIds } from './seeded.ts';
import { tried } from './tried.ts';
import { words } from './words.ts';

/** What is left out, in the order of the legend. */
const variants = {
  whole: [],
  residuals: ['residuals'],
  norms: ['norms'],
  both: ['residuals', 'norms'],
} as const satisfies Record<string, readonly LeftOut[]>;
type Variant = keyof typeof variants;
const names = Object.keys(variants) as Variant[];

type Which = 'open' | 12 | 48;
/** Of each variant the gradient's size before each block. */
export type Sizes = Record<Variant, number[]>;

/** A model of texts. */
type Reader = WorkerEncoder | WorkerModel;

/** Why sums and norms are there: how large gradients are by depth, with them and without. */
export function DepthLesson({ model }: { model: Reader }) {
  return (
    <Fold title={words.depthTitle} summary={words.depthSummary} name="depth">
      {() => <Lesson model={model} />}
    </Fold>
  );
}

function Lesson({ model }: { model: Reader }) {
  const hasLoss = model instanceof WorkerEncoder ? model.config.head === 'masked-words' : true;
  const [which, setWhich] = useState<Which>(48);
  const { value, failure, stale } = useOnce(
    async (signal) => ({ which, sizes: await (which === 'open' ? ofOpen(model, signal) : ofSeeded(which, signal)) }),
    [model, which, which === 'open' && adapted.value],
  );
  const all: Which[] = hasLoss ? ['open', 12, 48] : [12, 48];
  return (
    <>
      <p class="lead">{words.depthLead}</p>
      <fieldset class="choices">
        <legend class="unseen">{words.depthWhich}</legend>
        {all.map((one) => (
          <label key={one}>
            <input type="radio" name="depth" checked={which === one} onChange={() => setWhich(one)} />
            <span>{one === 'open' ? words.depthOpen(model.config.nLayer) : words.depthSeeded(one)}</span>
          </label>
        ))}
      </fieldset>
      <Failed failure={failure} />
      {!value && failure === undefined && <p class="summary">{words.depthRuns}</p>}
      {value && (
        <div class="depth" data-stale={stale} data-which={value.which}>
          <Chart sizes={value.sizes} />
          <p class="says">{words.depthSays(ends(value.sizes), value.sizes.whole.length)}</p>
          <Numbers sizes={value.sizes} />
        </div>
      )}
      <p class="lead">{words.depthWhy}</p>
    </>
  );
}

const ends = (sizes: Sizes) =>
  Object.fromEntries(names.map((name) => [name, sizes[name][0]! / sizes[name].at(-1)!])) as Record<Variant, number>;

/** The root mean square of the loss's gradient by the stream before each block. */
async function sizesOf(
  model: Reader,
  input: unknown,
  loss: Parameters<typeof gradients>[2]['loss'],
  signal: AbortSignal,
): Promise<Sizes> {
  const found = {} as Sizes;
  const wrt = Array.from({ length: model.config.nLayer }, (_, i) => `blocks.${i}.hook_resid_pre`);
  for (const name of names) {
    const of = await gradients(model, input, { loss, wrt, without: variants[name], signal });
    found[name] = wrt.map((one) => Math.sqrt(momentsOf(of.get(one).data, false).variance));
  }
  return found;
}

/** The text on the page, its beginning; of a model that guesses words a text, all of which it is to guess. */
async function ofOpen(model: Reader, signal: AbortSignal): Promise<Sizes> {
  if (model instanceof WorkerEncoder) {
    const { ids } = await model.tokenizer.inputs(tried.peek().trim() || words.tryOpening);
    const own = Array.from(ids).slice(0, model.config.nCtx);
    return sizesOf(model, [{ ids: own }], { labels: [own] }, signal);
  }
  const ids = Array.from(await model.tokenizer.encode(shownText.peek())).slice(0, 64);
  const own = ids.length > 3 ? ids : Array.from(await model.tokenizer.encode(words.depthText));
  return sizesOf(model, own, 'next-token', signal);
}

async function ofSeeded(layers: number, signal: AbortSignal): Promise<Sizes> {
  const model = await loadBeside(seededFiles(layers), signal);
  try {
    return await sizesOf(model, seededIds, 'next-token', signal);
  } finally {
    void model.dispose();
  }
}

const height = 300;
const margin = { left: 52, right: 12, top: 12, bottom: 28 };

/** By powers of ten. `element.drawn` has the numbers. */
function Chart({ sizes }: { sizes: Sizes }) {
  const { width, of } = useWidth();
  const svg = useRef<SVGSVGElement & { drawn?: Sizes }>(null);
  useLayoutEffect(() => {
    if (svg.current) svg.current.drawn = sizes;
  });
  const powers = names.flatMap((name) =>
    sizes[name].filter((size) => size > 0 && Number.isFinite(size)).map(Math.log10),
  );
  const [least, most] = [Math.floor(Math.min(...powers)), Math.ceil(Math.max(...powers))];
  const span = Math.max(1, most - least);
  const count = sizes.whole.length;
  const x = (block: number) => margin.left + ((width - margin.left - margin.right) * block) / Math.max(1, count - 1);
  const y = (size: number) => {
    const power = size > 0 ? Math.min(most, Math.log10(size)) : least;
    return margin.top + ((height - margin.top - margin.bottom) * (most - power)) / span;
  };
  const every = Math.max(1, Math.ceil(span / 6));
  const first = Math.ceil(least / every) * every;
  const ticks = Array.from({ length: Math.floor((most - first) / every) + 1 }, (_, i) => first + i * every);
  return (
    <>
      <p class="legend">
        {names.map((name) => (
          <span key={name} data-variant={name}>
            <i /> {words.depthVariants[name]}
          </span>
        ))}
      </p>
      <div class="depth-chart" ref={of}>
        {width > 0 && (
          <svg ref={svg} width={width} height={height} role="img" aria-label={words.depthChart}>
            {ticks.map((power) => (
              <g key={power}>
                <line class="grid" x1={margin.left} x2={width - margin.right} y1={y(10 ** power)} y2={y(10 ** power)} />
                <text class="tick" x={margin.left - 8} y={y(10 ** power) + 4} text-anchor="end">
                  10<tspan dy="-5">{String(power).replace('-', '−')}</tspan>
                </text>
              </g>
            ))}
            <text class="tick" x={margin.left} y={height - 8}>
              {words.block(0)}
            </text>
            <text class="tick" x={width - margin.right} y={height - 8} text-anchor="end">
              {words.block(count - 1)}
            </text>
            {names.map((name) => (
              <path
                key={name}
                data-variant={name}
                d={sizes[name].map((size, i) => `${i ? 'L' : 'M'}${x(i).toFixed(1)} ${y(size).toFixed(1)}`).join('')}
              />
            ))}
          </svg>
        )}
      </div>
    </>
  );
}

/** The first block's, the middle's and the last's. */
function Numbers({ sizes }: { sizes: Sizes }) {
  const count = sizes.whole.length;
  const blocks = [...new Set([0, Math.floor(count / 2), count - 1])];
  return (
    <div class="table-room" tabIndex={0} role="group" aria-label={words.depthTable}>
      <table class="numbers">
        <caption>{words.depthTable}</caption>
        <thead>
          <tr>
            <th scope="col" />
            {blocks.map((block) => (
              <th scope="col" key={block}>
                {words.block(block)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{words.depthVariants[name]}</th>
              {blocks.map((block) => (
                <td key={block}>{byTens(sizes[name][block]!)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** As the chart has it: 1.2 · 10¹¹. */
function byTens(value: number) {
  const [size, power] = shortNumber(value).split('e');
  if (power === undefined) return size;
  return (
    <>
      {size} · 10<sup>{power.replace('+', '')}</sup>
    </>
  );
}
