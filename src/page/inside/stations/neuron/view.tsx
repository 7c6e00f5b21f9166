import './style.css';
import { Fragment } from 'preact';
import { useMemo } from 'preact/hooks';
import type { NeuronTokens } from '../../../../index.ts';
import { shortNumber, visible } from '../../../format.ts';
import { largest, magnitudeOf, rowOf } from '../../../shares.ts';
import { TypedValue } from '../../../views/typed-value.tsx';
import { Failure, Figure, Quoting } from '../../draw/figure.tsx';
import { CellLink } from '../../draw/part.tsx';
import { Framed, useFrame, useShown } from '../../frame.ts';
import { useLater } from '../../later.ts';
import { ask, layer, lookAt, neuron } from '../../looking.ts';
import { words } from './words.ts';

const offered = 8;
const mostWords = 8;
/** Pieces of a long text drawn: those where it fires most. */
const mostPieces = 80;

/** One neuron of the block looked at: its number at every piece of the text, and its column against the words. */
export function Neuron() {
  const { frame, stale, failure } = useFrame([`blocks.${layer.value}.mlp.hook_post`, 'ln_final.hook_scale']);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{words.reading}</p>;
  const { nInner } = frame.reading.model.config;
  const [most = 0] = largest(frame.row(nameIn(frame.layer)), 1);
  const which = Math.min(neuron.value ?? most, nInner - 1);
  return (
    <Framed value={{ frame, stale: stale! }}>
      <Which count={nInner} which={which} />
      <div class="neuron" data-layer={frame.layer} data-neuron={which} data-stale={stale}>
        <Fires which={which} />
        <Writes which={which} />
      </div>
    </Framed>
  );
}

const nameIn = (block: number) => `blocks.${block}.mlp.hook_post`;

function Which({ count, which }: { count: number; which: number }) {
  const { frame } = useShown();
  const row = frame.row(nameIn(frame.layer));
  const top = useMemo(() => largest(row, offered), [row]);
  const read = (text: string) => {
    const value = Number.parseInt(text, 10);
    return value >= 0 && value < count ? value : undefined;
  };
  return (
    <Figure title={words.which} note={words.whichNote(count, frame.layer)}>
      <div class="which">
        <span>{words.neuron}</span>
        <TypedValue
          label={words.neuron}
          text={String(which)}
          read={read}
          digits={5}
          onChange={(value) => ask({ neuron: value })}
        />
        <span class="summary">{words.most(frame.text())}</span>
        <div class="word-choice">
          {top.map((one) => (
            <button
              type="button"
              key={one}
              aria-pressed={one === which}
              aria-label={words.choose(one, shortNumber(row[one]!))}
              onClick={() => ask({ neuron: one })}
            >
              {one}
            </button>
          ))}
        </div>
      </div>
    </Figure>
  );
}

/** The text, each piece under a bar as high as the neuron fires there. */
function Fires({ which }: { which: number }) {
  const { frame, stale } = useShown();
  const tensor = frame.tensor(nameIn(frame.layer));
  const values = useMemo(
    () => Float32Array.from({ length: tensor.shape[0]! }, (_, at) => rowOf(tensor, at)[which]!),
    [tensor, which],
  );
  const most = magnitudeOf(values);
  const shown = useMemo(() => largest(values.map(Math.abs), mostPieces).sort((a, b) => a - b), [values]);
  return (
    <Figure title={words.fires} note={most > 0 ? words.firesNote : words.silent} take="neuron">
      <code>
        {nameIn(frame.layer)} [{which}]
      </code>
      <ol class="fires" data-tensor="fires" data-stale={stale}>
        {shown.map((at, i) => {
          const skipped = at - (i === 0 ? 0 : shown[i - 1]! + 1);
          return (
            <Fragment key={at}>
              {skipped > 0 && (
                <li class="skipped" title={words.skipped(skipped)}>
                  …
                </li>
              )}
              <li>
                <button
                  type="button"
                  data-at={at}
                  data-value={values[at]}
                  aria-pressed={at === frame.position}
                  aria-label={words.at(at, frame.text(at), shortNumber(values[at]!))}
                  onClick={() => lookAt({ position: at })}
                >
                  <span class="space">
                    <span
                      class="height"
                      data-sign={Math.sign(values[at]!)}
                      style={{ '--share': most > 0 ? Math.abs(values[at]!) / most : 0 }}
                    />
                  </span>
                  <bdi>{frame.text(at)}</bdi>
                  <span class="value">{shortNumber(values[at]!)}</span>
                </button>
              </li>
            </Fragment>
          );
        })}
      </ol>
    </Figure>
  );
}

function Writes({ which }: { which: number }) {
  const { frame } = useShown();
  const { model } = frame.reading;
  const { value, failure, stale } = useLater(
    (signal) => model.neuron(frame.layer, which, mostWords, { signal }),
    [model, frame.layer, which],
  );
  const [activation, scale] = [frame.row(nameIn(frame.layer))[which]!, frame.row('ln_final.hook_scale')[0]!];
  const index = [frame.position, which];
  return (
    <Figure title={words.writes} note={words.writesNote}>
      {failure !== undefined && <Failure what={failure} />}
      {!value && failure === undefined && <p class="summary">{words.reading}</p>}
      {value && (
        <div class="writes" data-stale={stale}>
          <Words title={words.raised} list={value.raised} most={mostOf(value)} />
          <Words title={words.lowered} list={value.lowered} most={mostOf(value)} />
        </div>
      )}
      <p class="neuron-here" data-factor={activation / scale}>
        <Quoting text={words.here(frame.text())} />{' '}
        <CellLink what={words.neuron} to={{ kind: 'tensor', name: nameIn(frame.layer), index }} value={activation} />{' '}
        {words.adds(shortNumber(scale), shortNumber(activation / scale))}
      </p>
    </Figure>
  );
}

const mostOf = ({ raised, lowered }: NeuronTokens) =>
  Math.max(...[...raised, ...lowered].map(({ logit }) => Math.abs(logit)), Number.MIN_VALUE);

function Words({ title, list, most }: { title: string; list: NeuronTokens['raised']; most: number }) {
  return (
    <div>
      <h5>{title}</h5>
      <ol class="bars" aria-label={title}>
        {list.map(({ id, text, logit }) => (
          <li key={id} data-id={id} data-logit={logit}>
            <bdi class="token">{visible(text)}</bdi>
            <span class="bar-room">
              <span class="amount" data-sign={Math.sign(logit)} style={{ '--share': Math.abs(logit) / most }} />
            </span>
            <span>{shortNumber(logit)}</span>
          </li>
        ))}
      </ol>
    </div>
  );
}
