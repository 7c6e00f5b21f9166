import './inspector.css';
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { WorkerModel } from '../../embed/client.ts';
import { gpt2Plan } from '../../model/gpt2.ts';
import { shortNumber, visible } from './draw/numbers.ts';
import { type Cell, cell, sameCell } from './looking.ts';
import { type Numbers, type Operand, type Origin, originOf } from './origin.ts';
import { current, type Reading, useLater } from './reading.ts';
import { words } from './words/inspector.ts';

/** Cells looked at before this one, the last one last. */
const trail = signal<readonly Cell[]>([]);

/** The chosen cell's equation, with its operands as links to where they came from, back to the weights. */
export function Inspector() {
  const reading = current.value;
  const chosen = cell.value;
  return chosen && reading ? <Open chosen={chosen} reading={reading} /> : null;
}

function Open({ chosen, reading }: { chosen: Cell; reading: Reading }) {
  const title = useRef<HTMLHeadingElement>(null);
  const { value, stale } = useLater(() => explained(chosen, reading), [chosen, reading]);
  const close = () => {
    cell.value = undefined;
    trail.value = [];
  };
  useReturningFocus(title);
  const back = () => {
    cell.value = trail.value.at(-1);
    trail.value = trail.value.slice(0, -1);
  };
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
        <button type="button" class="quiet" onClick={back} disabled={trail.value.length === 0}>
          {words.back}
        </button>
        <button type="button" class="quiet" onClick={close}>
          {words.close}
        </button>
      </header>
      {!value && <p class="summary">{words.loading}</p>}
      {value && 'failure' in value && <p role="alert">{words.failed(value.failure)}</p>}
      {value && 'origin' in value && <Equation key={nameOf(value.cell)} {...value} texts={reading.texts} />}
    </aside>
  );
}

type Explained = { cell: Cell } & ({ origin: Origin } | { failure: string });

async function explained(chosen: Cell, reading: Reading): Promise<Explained> {
  try {
    return { cell: chosen, origin: await originOf(chosen, numbersOf(reading)) };
  } catch (error) {
    return { cell: chosen, failure: error instanceof Error ? error.message : String(error) };
  }
}

function Equation({ cell: at, origin, texts }: { cell: Cell; origin: Origin; texts: readonly string[] }) {
  const { value, op, formula, written, terms, result, edits } = origin;
  return (
    <div class="equation" data-cell={nameOf(at)} data-value={value} data-result={result}>
      <p>
        <code>{nameOf(at)}</code> {tokenOf(at, texts) && <span class="token">{visible(tokenOf(at, texts)!)}</span>} ={' '}
        <b>{shortNumber(value)}</b>
      </p>
      <p class="summary">{op ? words.op[op] : words.weight}</p>
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
  const follow = () => {
    if (cell.value && !sameCell(cell.value, to)) trail.value = [...trail.value, cell.value];
    cell.value = to;
  };
  return (
    <button
      type="button"
      class="operand"
      data-kind={to.kind}
      title={name}
      aria-label={words.operand(name, shortNumber(value))}
      onClick={follow}
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

const plans = new WeakMap<WorkerModel, Numbers['plan']>();
const rows = new WeakMap<WorkerModel, Map<string, Promise<Float32Array>>>();
/** Weight rows kept for each model: a few megabytes. */
const mostRows = 500;

function numbersOf(reading: Reading): Numbers {
  const { model, ids, edits } = reading;
  const plan = plans.get(model) ?? gpt2Plan(model.config);
  plans.set(model, plan);
  const kept = rows.get(model) ?? new Map<string, Promise<Float32Array>>();
  rows.set(model, kept);
  const weightRow = (name: string, row: number) => {
    const key = `${name} ${row}`;
    const known = kept.get(key);
    if (known) return known;
    const read = model.weight(name, { rows: [row] }).then(({ data }) => data);
    if (kept.size === mostRows) kept.clear();
    kept.set(key, read);
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

/** Moves the focus in when the inspector opens, and back to where it was when it closes. */
function useReturningFocus(title: { current: HTMLElement | null }): void {
  useEffect(() => {
    const before = document.activeElement;
    title.current?.focus({ preventScroll: true });
    return () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    };
  }, []);
}
