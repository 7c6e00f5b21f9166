import './style.css';
import { fixed, percent, spoken, visible } from '../../../format.ts';
import { patternRow } from '../../../shares.ts';
import { complete, phase } from '../../../writing.ts';
import { Figure, Quoting } from '../../draw/figure.tsx';
import { useFrame } from '../../frame.ts';
import { head, layer, position } from '../../looking.ts';
import { reading, touched } from '../../reading.ts';
import { type Touch, touch, touches, untouch, withShare } from '../../touch.ts';
import { Patch } from './patch.tsx';
import { Prediction } from './prediction.tsx';
import { words } from './words.ts';

/** Change a part of the model and see what becomes of the prediction, beside the untouched run. */
export function TouchStation() {
  const [l, h] = [layer.value, head.value];
  const headFactor = factorOf('head', l, h);
  const mlpFactor = factorOf('mlp', l);
  return (
    <div class="touch">
      <div class="hands">
        <Figure title={words.head(l, h)} note={words.headNote}>
          <Factor
            label={words.head(l, h)}
            value={headFactor}
            onChange={(factor) => touch({ kind: 'head', layer: l, head: h, factor })}
          />
        </Figure>
        <Figure title={words.mlp(l)} note={words.mlpNote}>
          <Factor
            label={words.mlp(l)}
            value={mlpFactor}
            onChange={(factor) => touch({ kind: 'mlp', layer: l, factor })}
          />
        </Figure>
        <AttentionRow />
        <Patch />
      </div>
      <div class="outcome">
        <Changes />
        {reading.value && <Prediction untouched={reading.value} changed={touched.value} at={position.value} />}
      </div>
    </div>
  );
}

function factorOf(kind: 'head' | 'mlp', ofLayer: number, ofHead?: number): number {
  const found = touches.value.find(
    (one) => one.kind === kind && one.layer === ofLayer && (one.kind !== 'head' || one.head === ofHead),
  );
  return found && 'factor' in found ? found.factor : 1;
}

function Factor({ label, value, onChange }: { label: string; value: number; onChange: (factor: number) => void }) {
  return (
    <div class="factor">
      <input
        type="range"
        min={-1}
        max={3}
        step={0.05}
        value={value}
        style={{ '--at': (value + 1) / 4 }}
        aria-label={`${label}, ${words.factor}`}
        onInput={(event) => onChange(event.currentTarget.valueAsNumber)}
      />
      <output>× {fixed(value, 2)}</output>
      <button type="button" class="plain" aria-pressed={value === 0} onClick={() => onChange(value === 0 ? 1 : 0)}>
        {words.knockOut}
      </button>
    </div>
  );
}

/** Sliders drawn at once; a longer row shows its largest shares. */
const mostSliders = 40;

function AttentionRow() {
  const [l, h, at] = [layer.value, head.value, position.value];
  const nameOf = (ofLayer: number) => `blocks.${ofLayer}.attn.hook_pattern`;
  const { frame, stale = true } = useFrame([nameOf(l)]);
  const texts = frame?.reading.texts ?? [];
  // What was set here is known before the run with it ends.
  const own = touches.value
    .filter((one) => one.kind === 'attention')
    .find((one) => one.layer === l && one.head === h && one.position === at);
  const read = frame && patternRow(frame.tensor(nameOf(frame.layer)), frame.head, frame.position).slice();
  const row = own?.row ?? read;
  if (!row) return null;
  const before = own?.before ?? row;
  const ofAnother = stale && !own;
  const set = (next: Float32Array) => touch({ kind: 'attention', layer: l, head: h, position: at, row: next, before });
  const size = (key: number) => Math.max(row[key]!, before[key]!); // a slider in use stays
  const keys = [...row.keys()].sort((a, b) => size(b) - size(a)).slice(0, mostSliders);
  return (
    <Figure title={words.attention(l, h, visible(texts[at] ?? ''))} note={words.attentionNote}>
      <div class="sliders" data-sum={row.reduce((sum, share) => sum + share, 0)} data-stale={ofAnother}>
        {keys
          .sort((a, b) => a - b)
          .map((key) => (
            <label key={key}>
              <output>{ofAnother ? '…' : percent(row[key]!)}</output>
              <input
                type="range"
                min={0}
                max={1}
                step={0.01}
                value={row[key]!}
                disabled={ofAnother}
                style={{ '--at': row[key]! }}
                aria-label={words.share(key, spoken(texts[key] ?? ''))}
                onInput={(event) => set(withShare(row, key, event.currentTarget.valueAsNumber, before))}
              />
              <bdi class="token">{visible(texts[key] ?? '')}</bdi>
            </label>
          ))}
      </div>
      {row.length > mostSliders && <p class="summary">{words.largest(mostSliders)}</p>}
      <div class="actions">
        <button type="button" class="plain" disabled={ofAnother} onClick={() => set(row.map(() => 1 / (at + 1)))}>
          {words.evenly}
        </button>
        <button
          type="button"
          class="plain"
          disabled={ofAnother}
          onClick={() => set(row.map((_, key) => (key === at ? 1 : 0)))}
        >
          {words.itself}
        </button>
      </div>
    </Figure>
  );
}

function Changes() {
  const all = touches.value;
  return (
    <Figure title={words.changes}>
      {all.length === 0 && <p class="summary">{words.none}</p>}
      <ul class="changes">
        {all.map((one) => (
          <li>
            <span>
              <Quoting text={said(one)} />
            </span>
            <button type="button" class="quiet" aria-label={words.remove(said(one))} onClick={() => untouch(one)}>
              {words.undo}
            </button>
          </li>
        ))}
      </ul>
      {all.length > 0 && <WriteOn />}
      {all.length > 1 && (
        <button type="button" class="quiet" onClick={() => (touches.value = [])}>
          {words.undoAll}
        </button>
      )}
    </Figure>
  );
}

/** Writes on with the model as it was changed, wherever the change is not of one token of this text alone. */
function WriteOn() {
  const run = touched.value;
  const everywhere = run?.edits.filter(({ position }) => position === undefined) ?? [];
  if (everywhere.length === 0) return null;
  return (
    <p>
      <button type="button" class="plain" disabled={phase.value !== 'idle'} onClick={() => void complete(everywhere)}>
        {words.writeOn}
      </button>{' '}
      <span class="summary">{words.writeOnNote}</span>
    </p>
  );
}

function said(one: Touch): string {
  switch (one.kind) {
    case 'head':
      return words.said.head(one.layer, one.head, one.factor);
    case 'mlp':
      return words.said.mlp(one.layer, one.factor);
    case 'attention':
      return words.said.attention(one.layer, one.head, one.position);
    case 'patch':
      return words.said.patch(one.name, one.position, visible(one.from));
    default:
      return one satisfies never;
  }
}
