import { useRef, useState } from 'preact/hooks';
import type { WorkerEncoder } from '../../embed/client.ts';
import { useOnce } from '../inside/later.ts';
import { course, dials, given, isLearning, parts, stop, table, teachTable } from './course.ts';
import { Given } from './given.tsx';
import { How } from './how.tsx';
import { mostProblems, Problems } from './problems.tsx';
import { sample } from './sample.ts';
import { lineOf, type Table } from './table.ts';
import { words } from './words.ts';

const mostClasses = 40;
const firstRows = 6;

/** The examples: typed, pasted or dropped, checked, and how they were read. */
export function Classes({ model }: { model: WorkerEncoder }) {
  const isEmpty = given.value.trim() === '';
  const why = isEmpty ? words.empty : whyNot(table.value);
  const isHindered = why !== undefined;
  const withLine = (line: string) => given.value + (given.value && !given.value.endsWith('\n') ? '\n' : '') + line;
  const found = (
    <>
      {why && <p class={isEmpty ? 'summary' : 'wrong'}>{why}</p>}
      {!isEmpty && <Found model={model} />}
    </>
  );
  return (
    <Given
      id="examples"
      title={words.examples}
      lead={words.examplesLead}
      sample={{ label: words.sample, text: sample }}
      files={{ label: words.chooseFile, accept: '.csv,.tsv,.txt,text/csv,text/plain' }}
      field={words.csv}
      placeholder={words.placeholder}
      value={given}
      more={(take) => <AddOne onAdd={(line) => take(withLine(line))} />}
      found={found}
    >
      {!isHindered && (
        <>
          <FirstRows />
          <How model={model} />
        </>
      )}
      <Act isHindered={isHindered} onTeach={() => void teachTable(model)} />
    </Given>
  );
}

/** Begins, or stops. */
export function Act({ isHindered, onTeach }: { isHindered: boolean; onTeach: () => void }) {
  return (
    <div class="actions">
      {isLearning.value ? (
        <button type="button" class="primary" data-busy="true" onClick={stop}>
          {words.stop}
        </button>
      ) : (
        <button type="button" class={isHindered ? 'plain' : 'primary'} disabled={isHindered} onClick={onTeach}>
          {course.value ? words.again : words.teach}
        </button>
      )}
    </div>
  );
}

/** Why nothing can be learnt of these examples. */
function whyNot({ rows, classes }: Table): string | undefined {
  if (rows.length === 0) return words.empty;
  if (classes.length === 1) return words.oneClass(classes[0]!.label);
  return classes.length > mostClasses ? words.manyClasses(classes.length) : undefined;
}

function Found({ model }: { model: WorkerEncoder }) {
  const { rows, classes, problems, hasHeader } = table.value;
  const { nCtx } = model.config;
  const { value: long = [] } = useOnce(
    async (signal) => {
      // A token is a character at least, so the others fit.
      const candidates = rows.filter(({ text }) => text.length + 2 > nCtx).slice(0, 50);
      const found: { line: number; tokens: number }[] = [];
      for (const { text, line } of candidates) {
        signal.throwIfAborted();
        const { ids } = await model.tokenizer.inputs(text);
        if (ids.length > nCtx) found.push({ line, tokens: ids.length });
      }
      return found;
    },
    [model, rows],
  );
  const lonely =
    dials.value.share > 0 && classes.length <= mostClasses ? classes.filter(({ count }) => count === 1) : [];
  return (
    <>
      {rows.length > 0 && <p data-rows={rows.length}>{words.found(rows.length, classes.slice(0, 12))}</p>}
      {rows.length > 0 && !hasHeader && <p class="summary">{words.noHeader}</p>}
      {lonely.length > 0 && <p class="summary">{words.tooFew(lonely.map(({ label }) => label))}</p>}
      <Problems problems={problems} />
      {long.slice(0, mostProblems).map(({ line, tokens }) => (
        <p class="wrong" key={line}>
          {words.tooLong(line, tokens, nCtx)}
        </p>
      ))}
    </>
  );
}

function AddOne({ onAdd }: { onAdd: (line: string) => void }) {
  const [text, setText] = useState('');
  const [label, setLabel] = useState('');
  const field = useRef<HTMLInputElement>(null);
  const isWhole = text.trim() !== '' && label.trim() !== '';
  return (
    <form
      class="add-one"
      onSubmit={(event) => {
        event.preventDefault();
        if (!isWhole) return;
        onAdd(lineOf(text.trim(), label.trim()));
        setText('');
        field.current?.focus();
      }}
    >
      <input
        ref={field}
        type="text"
        dir="auto"
        aria-label={words.addText}
        placeholder={words.addText}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <input
        type="text"
        dir="auto"
        aria-label={words.addClass}
        placeholder={words.addClass}
        list="classes-known"
        value={label}
        onInput={(event) => setLabel(event.currentTarget.value)}
      />
      <datalist id="classes-known">
        {table.value.classes.slice(0, mostClasses).map((one) => (
          <option key={one.label} value={one.label} />
        ))}
      </datalist>
      <button type="submit" class="plain" disabled={!isWhole}>
        {words.add}
      </button>
    </form>
  );
}

function FirstRows() {
  const { rows } = table.value;
  const judged = new Set(parts.value.judged);
  return (
    <div class="table-room" tabIndex={0} role="group" aria-label={words.firstRows}>
      <table class="first-rows">
        <caption>{words.firstRows}</caption>
        <thead>
          <tr>
            <th scope="col">{words.text}</th>
            <th scope="col">{words.class}</th>
            <th scope="col">{words.part}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, firstRows).map((row) => (
            <tr key={row.line}>
              <td>
                <bdi>{row.text.length > 120 ? `${row.text.slice(0, 120)}…` : row.text}</bdi>
              </td>
              <td>
                <bdi>{row.label}</bdi>
              </td>
              <td>{judged.has(row) ? words.toJudge : words.toLearn}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
