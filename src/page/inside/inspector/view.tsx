import './style.css';
import { signal } from '@preact/signals';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { WorkerModel } from '../../../embed/client.ts';
import type { Plan } from '../../../plan/plan.ts';
import { shortNumber, visible } from '../../format.ts';
import { useLater } from '../later.ts';
import { type Cell, cell, neuronOf, openNeuron, sameCell } from '../looking.ts';
import { hasCell, type Numbers, type Operand, type Origin, originOf } from '../origin.ts';
import { planOf } from '../plan.ts';
import { current, type Reading } from '../reading.ts';
import { TakeAway } from '../take/view.tsx';
import { words } from './words.ts';

/** Cells looked at before the one it leads `to`, the last one last; a cell chosen in a picture begins a new one. */
const trail = signal<{ to?: Cell; before: readonly Cell[] }>({ before: [] });

function follow(to: Cell | undefined, before: readonly Cell[]): void {
  cell.value = to;
  trail.value = { to, before };
}

/** The chosen cell's equation, with its operands as links to where they came from, back to the weights. */
export function Inspector() {
  const reading = current.value;
  const chosen = cell.value;
  const model = reading?.model;
  const { value } = useLater(async () => model && { model, plan: await planOf(model.config) }, [model]);
  const numbers = reading && value?.model === model ? numbersOf(reading, value!.plan) : undefined;
  const isGone = chosen && numbers && !hasCell(chosen, numbers);
  useLayoutEffect(() => {
    if (isGone) follow(undefined, []);
  }, [isGone]);
  return chosen && numbers && !isGone ? <Open chosen={chosen} reading={reading!} numbers={numbers} /> : null;
}

function Open({ chosen, reading, numbers }: { chosen: Cell; reading: Reading; numbers: Numbers }) {
  const title = useRef<HTMLHeadingElement>(null);
  const explain = async (): Promise<Explained> => {
    return { cell: chosen, origin: await originOf(chosen, numbers), texts: reading.texts };
  };
  const { value, failure, stale } = useLater(explain, [chosen, reading]);
  const before = beforeOf(chosen).filter((one) => hasCell(one, numbers));
  const close = () => follow(undefined, []);
  useReturningFocus(title);
  const back = () => follow(before.at(-1), before.slice(0, -1));
  return (
    <aside
      class="inspector"
      aria-labelledby="inspector-title"
      data-stale={stale}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.stopPropagation();
        close();
      }}
    >
      <header>
        <h3 id="inspector-title" tabIndex={-1} ref={title}>
          {words.title}
        </h3>
        <button type="button" class="quiet" onClick={back} disabled={before.length === 0}>
          {words.back}
        </button>
        <button type="button" class="quiet" onClick={close}>
          {words.close}
        </button>
      </header>
      {failure !== undefined && (
        <p role="alert">{words.failed(failure instanceof Error ? failure.message : String(failure))}</p>
      )}
      {failure === undefined && !value && <p class="summary">{words.loading}</p>}
      {failure === undefined && value && <Equation key={nameOf(value.cell)} {...value} />}
      {chosen.kind === 'tensor' && chosen.name !== 'logits' && <TakeAway cell={chosen} reading={reading} />}
    </aside>
  );
}

interface Explained {
  cell: Cell;
  origin: Origin;
  texts: readonly string[];
}

const beforeOf = (one: Cell) => (trail.value.to === one ? trail.value.before : []);

function Equation({ cell: at, origin, texts }: Explained) {
  const { value, op, formula, written, terms, result, edits } = origin;
  const of = neuronOf(at);
  return (
    <div class="equation" data-cell={nameOf(at)} data-value={value} data-result={result}>
      <p>
        <code>{nameOf(at)}</code> {tokenOf(at, texts) && <bdi class="token">{visible(tokenOf(at, texts)!)}</bdi>} ={' '}
        <b>{shortNumber(value)}</b>
      </p>
      <p class="summary">{op ? words.op[op] : words.weight}</p>
      {of && (
        <button type="button" class="plain" onClick={() => openNeuron(of)}>
          {words.neuron(of.neuron)}
        </button>
      )}
      {op && (
        <>
          <p class="formula">{formula}</p>
          <p class="written">
            {words.equals} {written.map((part) => (typeof part === 'string' ? part : <Link operand={part} />))}{' '}
            {words.equals} {shortNumber(result)}
          </p>
        </>
      )}
      {edits.length > 0 && <p class="touched">{words.edited}</p>}
      {terms.length > 0 && <Terms terms={terms} />}
    </div>
  );
}

const fewTerms = 8;

function Terms({ terms }: { terms: Origin['terms'] }) {
  const [all, setAll] = useState(false);
  const shown = all ? terms : terms.slice(0, fewTerms);
  const others = terms.slice(shown.length);
  const most = Math.abs(terms[0]!.value) || 1;
  const rest = others.reduce((sum, term) => sum + term.value, 0);
  return (
    <div class="terms">
      <h4>{words.terms}</h4>
      <ol>
        {shown.map(({ operands, value }) => (
          <li>
            <span class="product">
              {operands.map((operand, i) => (
                <>
                  {i > 0 && ' × '}
                  <Link operand={operand} />
                </>
              ))}
            </span>
            <span class="size" data-sign={Math.sign(value)} style={{ '--share': Math.abs(value) / most }} />
            <span class="value">{shortNumber(value)}</span>
          </li>
        ))}
      </ol>
      {others.length > 0 && (
        <p class="summary">
          {words.others(others.length, shortNumber(rest))}{' '}
          <button type="button" class="quiet" onClick={() => setAll(true)}>
            {words.all(terms.length)}
          </button>
        </p>
      )}
    </div>
  );
}

/** A number that leads to its own origin. */
function Link({ operand: { cell: to, value } }: { operand: Operand }) {
  const name = nameOf(to);
  const onClick = () => {
    const from = cell.value;
    if (from && !sameCell(from, to)) follow(to, [...beforeOf(from), from]);
  };
  return (
    <button
      type="button"
      class="operand"
      data-kind={to.kind}
      title={name}
      aria-label={words.operand(name, shortNumber(value))}
      onClick={onClick}
    >
      {shortNumber(value)}
    </button>
  );
}

function nameOf({ name, index }: Cell): string {
  return `${name}[${index.join(', ')}]`;
}

/** The token whose row a cell is in; in attention's pictures the query's. */
function tokenOf({ kind, name, index }: Cell, texts: readonly string[]): string | undefined {
  if (kind === 'weight') return undefined;
  return texts[(/hook_(pattern|attn_scores)$/.test(name) ? index[1] : index[0]) ?? 0];
}

const rows = new WeakMap<WorkerModel, Map<string, Promise<Float32Array>>>();
/** Weight rows kept for each model: a few megabytes. */
const mostRows = 500;

function numbersOf(reading: Reading, plan: Plan): Numbers {
  const { model, ids, edits } = reading;
  const kept = rows.get(model) ?? new Map<string, Promise<Float32Array>>();
  rows.set(model, kept);
  const weightRow = (name: string, row: number) => {
    const key = `${name} ${row}`;
    const known = kept.get(key);
    if (known) return known;
    const read = model.weight(name, { rows: [row] }).then(({ data }) => data);
    if (kept.size === mostRows) kept.clear();
    kept.set(key, read);
    read.catch(() => kept.delete(key)); // asked for again, it is tried again
    return read;
  };
  return {
    plan,
    ids,
    edits,
    weightRow,
    tensor: (name) => reading.tensor(name),
    logits: (position) => reading.logits(position),
  };
}

/** Moves the focus in when the inspector opens, and back to where it was when it closes, unless it went elsewhere. */
function useReturningFocus(title: { current: HTMLElement | null }): void {
  useLayoutEffect(() => {
    const before = document.activeElement;
    const inspector = title.current?.closest('aside');
    title.current?.focus({ preventScroll: true });
    return () => {
      const now = document.activeElement;
      if (now !== document.body && !inspector?.contains(now)) return;
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
}
