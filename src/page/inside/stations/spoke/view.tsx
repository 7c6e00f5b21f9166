import './style.css';
import { useMemo } from 'preact/hooks';
import { fixed, shortNumber, visible } from '../../../format.ts';
import { largest, magnitudeOf } from '../../../shares.ts';
import { currentTheme } from '../../../theme.ts';
import { cssColour } from '../../draw/colours.ts';
import { Failure, Figure, Quoting } from '../../draw/figure.tsx';
import { NamedMap } from '../../draw/map.tsx';
import { Legend } from '../../draw/part.tsx';
import { type Frame, useFrame } from '../../frame.ts';
import { useLater } from '../../later.ts';
import { ask, lookAt, open, rather, word } from '../../looking.ts';
import { useTexts } from '../../texts.ts';
import { mapOf, type Speaker, speakerOf, sumsOf } from './parts.ts';
import { words } from './words.ts';

/** Words offered: the likeliest. */
const offered = 6;
const loudest = 8;

/** Direct logit attribution of a word after the token looked at: what each head and MLP adds to its score. */
export function Spoke() {
  const { frame, stale, failure } = useFrame(['logits']);
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{words.reading}</p>;
  return <Asked frame={frame} stale={stale!} />;
}

function Asked({ frame, stale }: { frame: Frame; stale: boolean }) {
  const { reading, position, logits } = frame;
  const top = largest(logits, offered);
  const isThere = (id: number | undefined): id is number => id !== undefined && id < logits.length;
  const token = isThere(word.value) ? word.value : top[0]!;
  const minus = isThere(rather.value) && rather.value !== token ? rather.value : undefined;
  const asked = [...new Set([...top, token, ...(minus === undefined ? [] : [minus])])];
  const texts = useTexts(reading.model, asked);
  const text = (id: number) => visible(texts.get(id) ?? '…');
  const { value, failure, ...run } = useLater(
    async (signal) => {
      const options = { token, position, edits: reading.edits, signal, ...(minus !== undefined && { minus }) };
      const parts = await reading.model.attribution(reading.ids, options);
      const logit = logits[token]! - (minus === undefined ? 0 : logits[minus]!);
      return { speakers: parts.map(speakerOf), logit, token, minus, reading };
    },
    [reading, position, token, minus],
  );
  return (
    <>
      <Figure title={words.word(frame.text())} note={words.wordNote}>
        <Choice
          label={words.word(frame.text())}
          ids={asked}
          chosen={token}
          text={text}
          onChoose={(id) => ask({ word: id })}
        />
        <div class="rather">
          <span>{words.rather}</span>
          <Choice
            label={words.rather}
            ids={[undefined, ...asked.filter((id) => id !== token)]}
            chosen={minus}
            text={text}
            onChoose={(id) => ask({ rather: id })}
          />
        </div>
      </Figure>
      {failure !== undefined && <Failure what={failure} />}
      {!value && failure === undefined && <p class="summary">{words.reading}</p>}
      {value && value.reading.model === reading.model && (
        <Answer {...value} word={text(value.token)} stale={stale || run.stale} shape={reading.model.config} />
      )}
    </>
  );
}

interface ChoiceProps {
  label: string;
  /** Undefined: none of them. */
  ids: readonly (number | undefined)[];
  chosen: number | undefined;
  text: (id: number) => string;
  onChoose: (id: number | undefined) => void;
}

function Choice({ label, ids, chosen, text, onChoose }: ChoiceProps) {
  return (
    <div class="word-choice" role="group" aria-label={label}>
      {ids.map((id) => (
        <button type="button" key={id} data-id={id} aria-pressed={id === chosen} onClick={() => onChoose(id)}>
          {id === undefined ? words.nothing : <bdi class="word">{text(id)}</bdi>}
        </button>
      ))}
    </div>
  );
}

interface AnswerProps {
  speakers: readonly Speaker[];
  logit: number;
  token: number;
  minus: number | undefined;
  word: string;
  shape: { nLayer: number; nHead: number };
  stale: boolean;
}

function Answer({ speakers, logit, token, minus, word: name, shape: { nLayer, nHead }, stale }: AnswerProps) {
  const map = useMemo(() => mapOf(speakers, nLayer, nHead), [speakers]);
  const limit = useMemo(() => magnitudeOf(map), [map]);
  const open = (row: number, column: number) => openAt(row, column < nHead ? column : undefined);
  const rows = Array.from({ length: nLayer }, (_, i) => String(i));
  const columns = [...Array.from({ length: nHead }, (_, i) => String(i)), words.mlp];
  return (
    <div class="spoke" data-token={token} data-minus={minus} data-stale={stale}>
      <Figure title={words.map} note={words.mapNote} take="who-spoke">
        <NamedMap
          label={words.mapLabel(name)}
          data={map}
          rows={nLayer}
          columns={nHead + 1}
          scale="signed"
          limit={limit}
          tensor="attribution"
          rowNames={rows}
          columnNames={columns}
          axes={[words.block, words.headAxis]}
          describe={(row, column) => (column < nHead ? words.headAt(row, column) : words.mlpAt(row))}
          onPick={open}
          cellSize={[Math.max(18, Math.min(52, 480 / (nHead + 1))), Math.max(12, Math.min(30, 420 / nLayer))]}
          stale={stale}
        />
        <Legend scale="signed" limit={limit} />
        <Said speakers={speakers} word={name} />
      </Figure>
      <div class="spoke-numbers">
        <Loudest speakers={speakers} />
        <Sum speakers={speakers} logit={logit} rather={minus !== undefined} />
      </div>
    </div>
  );
}

function openAt(layer: number, head: number | undefined): void {
  lookAt({ layer, ...(head !== undefined && { head }) });
  open('block');
}

/** The loudest on either side, of what the model says of this text: biases speak alike for every one. */
function Said({ speakers, word: name }: { speakers: readonly Speaker[]; word: string }) {
  const own = speakers.filter(({ kind }) => kind === 'heads' || kind === 'mlps').sort((a, b) => b.logit - a.logit);
  const [best, worst] = [own[0], own.at(-1)];
  if (!best || !worst) return null;
  return (
    <p class="spoke-said">
      <Quoting text={words.said(best.name, signed(best.logit), name)} />
      {worst.logit < 0 && words.against(worst.name.replace(/^H/, 'h'), signed(worst.logit))}.
    </p>
  );
}

/** Bars have the map's colours, well within its ends. */
const barEnd = 1.5;

const signed = (value: number) => `${value > 0 ? '+' : ''}${shortNumber(value)}`;

function Loudest({ speakers }: { speakers: readonly Speaker[] }) {
  const sizes = Float32Array.from(speakers, ({ logit }) => Math.abs(logit));
  const top = largest(sizes, loudest).map((i) => speakers[i]!);
  const theme = currentTheme();
  return (
    <Figure title={words.loudest}>
      <ol class="bars speakers">
        {top.map(({ part, name, hook, logit, layer, head }) => (
          <li key={part} data-part={part} data-logit={logit}>
            <span>
              {layer === undefined ? (
                name
              ) : (
                <button type="button" class="leads" onClick={() => openAt(layer, head)}>
                  {name}
                </button>
              )}{' '}
              <code>{hook}</code>
            </span>
            <span class="bar-room">
              <span
                class="amount"
                data-sign={Math.sign(logit)}
                style={{
                  '--share': Math.abs(logit / (top[0]!.logit || 1)),
                  background: cssColour(Math.sign(logit), 'signed', barEnd, theme),
                }}
              />
            </span>
            <span>{signed(logit)}</span>
          </li>
        ))}
      </ol>
    </Figure>
  );
}

/** The parts by what they are, and their sum beside the model's own score. */
function Sum({ speakers, logit, rather: isRather }: { speakers: readonly Speaker[]; logit: number; rather: boolean }) {
  const total = speakers.reduce((sum, one) => sum + one.logit, 0);
  return (
    <Figure title={words.sum} note={words.sumNote}>
      <table class="spoke-sum" data-sum={total} data-logit={logit}>
        <tbody>
          {sumsOf(speakers).map(([kind, sum]) => (
            <tr key={kind} data-kind={kind} data-sum={sum}>
              <th scope="row">{words.kinds[kind]}</th>
              <td>{signed(sum)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{words.total}</th>
            <td>{fixed(total, 3)}</td>
          </tr>
          <tr>
            <th scope="row">
              {words.logit(isRather)} <code>logits</code>
            </th>
            <td>{fixed(logit, 3)}</td>
          </tr>
        </tfoot>
      </table>
    </Figure>
  );
}
