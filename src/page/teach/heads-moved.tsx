import { useMemo, useState } from 'preact/hooks';
import { type WorkerEncoder, type WorkerModel, WorkerVision } from '../../embed/client.ts';
import type { Trace, TracedTensor } from '../../index.ts';
import type { Adapter } from '../../learn/index.ts';
import { visible } from '../format.ts';
import { Figure } from '../inside/draw/figure.tsx';
import { Matrix } from '../inside/draw/matrix.tsx';
import { useOnce } from '../inside/later.ts';
import { attentionsOf, headOf } from '../rooms/anatomy.ts';
import { Failed } from '../rooms/failed.tsx';
import { useSettled } from '../rooms/later-text.ts';
import type { Pixels } from '../rooms/seen.tsx';
import { words as vision } from '../rooms/words/vision.ts';
import { wearing } from './adapter-on.ts';
import { words } from './words.ts';

interface Props {
  model: Looking;
  method: 'lora' | 'head';
  adapter: Adapter;
  text: string;
  /** Of a model that reads images what is looked at. */
  pixels?: Pixels | undefined;
}

/** A model with one kind of attention. */
type Looking = WorkerEncoder | WorkerModel | WorkerVision;

interface Compared {
  text: string;
  before: Trace;
  after: Trace;
  texts: readonly string[];
}

/** What each head looks at before and after, on one text. */
export function HeadsMoved({ method, ...props }: Props) {
  const isBlind = props.model instanceof WorkerVision && !props.pixels;
  if (method === 'head' || isBlind) {
    return (
      <Figure title={words.moved}>
        <p class="summary">{method === 'head' ? words.movedNothing : words.movedNoPicture}</p>
      </Figure>
    );
  }
  return <Moved {...props} />;
}

function Moved({ model, adapter, text, pixels }: Omit<Props, 'method'>) {
  const attentions = useMemo(() => attentionsOf(model.tensors()), [model]);
  const settled = useSettled(text.trim());
  const { value, failure, stale } = useOnce<Compared>(
    (signal) => (settled ? compare(model, adapter, { text: settled, pixels }, attentions, signal) : undefined),
    [model, adapter, settled, pixels],
  );
  const [chosen, setChosen] = useState<readonly [layer: number, head: number] | undefined>(undefined);
  const shares = useMemo(
    () =>
      value &&
      attentions.map(({ name, heads }) => Array.from({ length: heads }, (_, head) => elsewhere(value, name, head))),
    [value, attentions],
  );
  if (failure !== undefined) return <Failed failure={failure} />;
  if (!value || !shares) return null;
  const flat = shares.flatMap((row, layer) => row.map((share, head) => ({ layer, head, share })));
  const most = flat.reduce((a, b) => (b.share > a.share ? b : a));
  const [layer, head] = chosen ?? [most.layer, most.head];
  const { name } = attentions[layer]!;
  return (
    <Figure title={words.moved} note={pixels ? words.movedPictureNote : words.movedNote(value.text)}>
      <p class="says">{words.movedMost(most.layer, most.head, most.share)}</p>
      <Grid
        shares={shares}
        most={most.share}
        chosen={[layer, head]}
        onChoose={setChosen}
        text={value.text}
        stale={stale}
      />
      <div class="sides heads-of">
        {(['before', 'after', 'change'] as const).map((side) => (
          <section key={side} aria-label={`${words[side]}, ${words.movedHead(layer, head, shares[layer]![head]!)}`}>
            <h4>{words[side]}</h4>
            <Pattern
              of={value[side === 'before' ? 'before' : 'after'].get(name)!}
              {...(side === 'change' && { less: value.before.get(name)! })}
              name={name}
              head={head}
              texts={value.texts}
              label={(pixels ? words.picturePattern : words.pattern)(words[side])}
              {...(model instanceof WorkerVision && { of2d: model.config })}
            />
          </section>
        ))}
      </div>
    </Figure>
  );
}

interface GridProps {
  /** [layers][heads] */
  shares: readonly (readonly number[])[];
  most: number;
  chosen: readonly [layer: number, head: number];
  onChoose: (at: readonly [layer: number, head: number]) => void;
  text: string;
  stale: boolean;
}

/** Every head, a row a block. */
function Grid({ shares, most, chosen, onChoose, text, stale }: GridProps) {
  return (
    <div class="table-room" tabIndex={0} role="group" aria-label={words.moved}>
      <div class="moved-heads" style={{ '--columns': shares[0]!.length }} data-stale={stale} data-text={text}>
        {shares.map((row, layer) => (
          <div key={layer} role="group" aria-label={words.block(layer)}>
            <span class="summary">{words.block(layer)}</span>
            {row.map((share, head) => (
              <button
                type="button"
                key={head}
                aria-pressed={layer === chosen[0] && head === chosen[1]}
                aria-label={words.movedHead(layer, head, share)}
                title={words.movedHead(layer, head, share)}
                data-share={share}
                style={{ '--share': most > 0 ? share / most : 0 }}
                onClick={() => onChoose([layer, head])}
              >
                {Math.round(100 * share)}
              </button>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

interface PatternProps {
  of: TracedTensor;
  /** What is taken away of it: the picture is of what changed. */
  less?: TracedTensor;
  name: string;
  head: number;
  texts: readonly string[];
  label: string;
  /** Of an image: the class token's row is shown, over the patches. */
  of2d?: Pick<WorkerVision['config'], 'nPrefix' | 'imageSize' | 'patchSize'>;
}

function Pattern({ of, less, name, head, texts, label, of2d }: PatternProps) {
  const data = useMemo(() => {
    const before = less && headOf(less, head);
    return headOf(of, head).map((share, i) => share - (before?.[i] ?? 0));
  }, [of, less, head]);
  if (of2d) {
    const { nPrefix, imageSize, patchSize } = of2d;
    return (
      <Matrix
        label={label}
        data={data.subarray(nPrefix, of.shape[2]!)}
        rows={imageSize[0] / patchSize[0]}
        columns={imageSize[1] / patchSize[1]}
        scale={less ? 'signed' : 'amount'}
        tensor={name}
        describe={(row, column) => `${vision.patch(row, column)}:`}
        cellSize={[24, 24]}
      />
    );
  }
  return (
    <Matrix
      label={label}
      data={data}
      rows={of.shape[1]!}
      columns={of.shape[2]!}
      scale={less ? 'signed' : 'amount'}
      {...(!less && { limit: 1 })}
      tensor={name}
      describe={(row, column) => words.looks(texts[row] ?? '', texts[column] ?? '')}
      cellSize={[20, 20]}
    />
  );
}

async function compare(
  model: Looking,
  adapter: Adapter,
  { text, pixels }: Pick<Props, 'text' | 'pixels'>,
  attentions: readonly { name: string }[],
  signal: AbortSignal,
): Promise<Compared> {
  const capture = attentions.map(({ name }) => name);
  const trace = () =>
    model instanceof WorkerVision ? model.trace(pixels!, { capture, signal }) : model.trace(text, { capture, signal });
  const before = await wearing(model, null, trace);
  signal.throwIfAborted();
  const after = await wearing(model, adapter, trace);
  if (!('tokenizer' in model)) return { text, before, after, texts: [] };
  const { tokenizer } = model;
  const texts = await Promise.all(before.tokens.map(async (id) => visible(await tokenizer.spelling(id))));
  return { text, before, after, texts };
}

/** The share of a head's attention that goes elsewhere: half the summed difference of each row's shares, in the mean. */
export function elsewhere({ before, after }: Pick<Compared, 'before' | 'after'>, name: string, head: number): number {
  const [a, b] = [headOf(before.get(name)!, head), headOf(after.get(name)!, head)];
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!);
  return sum / 2 / before.get(name)!.shape[1]!;
}
