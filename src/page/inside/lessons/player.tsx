import './lessons.css';
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { messageOf } from '../../failure.ts';
import { Quoting } from '../draw/figure.tsx';
import type { Place } from '../frame.ts';
import { useLater } from '../later.ts';
import { cell, head, layer, lookAt, position, unfold } from '../looking.ts';
import { reading } from '../reading.ts';
import { aside, giveBack } from '../touch.ts';
import { type Found, type LessonName, lessons } from './lessons.ts';
import { pointAt, stopPointing } from './point.ts';
import { words } from './words.ts';

/** The lesson under way, and what it has found so far. */
export const lesson = signal<{ name: LessonName; step: number; found?: Found | undefined } | undefined>(undefined);

export function go(name: LessonName, step: number): void {
  const { station, prepare } = lessons[name][step]!;
  const found = lesson.value?.name === name ? lesson.value.found : undefined;
  cell.value = undefined;
  prepare?.(found);
  unfold(station);
  lesson.value = { name, step, found };
}

/** Ends the lesson; the visitor's own changes of the model are back, and the focus is where the lesson began. */
function close(): void {
  const name = lesson.value?.name;
  lesson.value = undefined;
  giveBack();
  document.querySelector<HTMLElement>(`[data-lesson="${name}"]`)?.focus({ preventScroll: true });
}

const nameOf = (tensor: string, { layer }: Place) => tensor.replace('.N.', `.${layer}.`);

/** The list of lessons, and the one under way: its text stays in view while it drives the pictures. */
export function Lessons() {
  const tensors = new Set(reading.value?.model.tensors().map(({ name }) => name));
  // A model that adds no positions has none to tell of.
  const has = (name: LessonName) => name !== 'positions' || tensors.has(lessons[name][0]!.tensor);
  const names = (Object.keys(lessons) as LessonName[]).filter(has);
  return (
    <nav class="lessons" aria-labelledby="lessons-title">
      <h3 id="lessons-title">{words.title}</h3>
      <p class="summary">{words.intro}</p>
      <ol>
        {names.map((name) => (
          <li>
            <button
              type="button"
              data-lesson={name}
              aria-current={lesson.value?.name === name}
              onClick={() => go(name, 0)}
            >
              {words.lessons[name].title}
            </button>
          </li>
        ))}
      </ol>
      {lesson.value && <Open {...lesson.value} />}
    </nav>
  );
}

function Open({ name, step }: { name: LessonName; step: number }) {
  const steps = lessons[name];
  const { title } = words.lessons[name];
  const isLast = step === steps.length - 1;
  const { told, failure, progress } = useTold(name, step);
  // What is found is what the next steps are about.
  const canGoOn = steps[step]!.find === undefined || told !== undefined || failure !== undefined;
  return (
    <section
      class="lesson"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key === 'Escape') close();
      }}
    >
      <header>
        <h4>{title}</h4>
        <span class="summary">{words.stepOf(step + 1, steps.length)}</span>
        <button type="button" class="quiet" onClick={close}>
          {words.close}
        </button>
      </header>
      <div aria-live="polite">
        {failure !== undefined && <p>{words.failed(messageOf(failure))}</p>}
        {told && <Text name={name} step={step} {...told} />}
      </div>
      {!told && failure === undefined && (
        <p class="summary">{progress ? words.measuring(...progress) : words.reading}</p>
      )}
      {aside.value !== undefined && aside.value.length > 0 && <p class="summary">{words.aside}</p>}
      <div class="steps">
        <button type="button" class="plain" disabled={step === 0} onClick={() => go(name, step - 1)}>
          {words.previous}
        </button>
        <button
          type="button"
          class="primary"
          aria-disabled={!canGoOn}
          onClick={() => canGoOn && (isLast ? close() : go(name, step + 1))}
        >
          {isLast ? words.done : words.next}
        </button>
      </div>
    </section>
  );
}

/** A step's numbers and the place they are of, together: read for each text, and anew where one looks elsewhere. */
function useTold(name: LessonName, step: number) {
  const [progress, setProgress] = useState<{ of: string; is: [done: number, total: number] } | undefined>(undefined);
  const run = reading.value;
  const place = { layer: layer.value, head: head.value, position: position.value };
  const key = `${name} ${step}`;
  const { values, find, recalls } = lessons[name][step]!;
  const found = lesson.value?.found;
  const where = find || recalls ? '' : Object.values(place).join();
  const { value, failure, stale } = useLater<(Found & { key: string }) | undefined>(
    async (signal) => {
      if (!run) return undefined;
      if (recalls && found) return { key, place: found.place, values: recalls(found) };
      if (!find) return { key, place, values: values ? await values(run, place) : [] };
      const now = await find(run, (...is) => setProgress({ of: key, is }), signal);
      signal.throwIfAborted();
      lookAt(now.place);
      lesson.value = { name, step, found: now };
      return { key, ...now };
    },
    [run, key, where],
  );
  // What is searched anew is not found before.
  const told = value?.key === key && !(find && stale) ? value : undefined;
  return { told, failure: told ? undefined : failure, progress: progress?.of === key ? progress.is : undefined };
}

/** A step's words with the numbers of the running model. */
function Text({ name, step, values, place }: Found & { name: LessonName; step: number }) {
  const { station, tensor: picture } = lessons[name][step]!;
  const text = words.lessons[name].steps[step] as (...values: (string | number)[]) => string;
  const former = useRef('');
  useEffect(() => {
    const tensor = nameOf(picture, place);
    const now = `${name} ${step} ${tensor}`;
    // While one writes, a step's numbers change, and what it points at does not.
    void pointAt(tensor, station, now === former.current);
    former.current = now;
  }, [values]);
  useEffect(() => stopPointing, []);
  return (
    <p class="words" data-values={JSON.stringify(values)}>
      {text(...values)
        .split('`')
        .map((part, i) => {
          if (i % 2 === 0) return <Quoting text={part} />;
          const tensor = nameOf(part, place);
          return (
            <button
              type="button"
              class="tensor"
              aria-label={words.pointAt(tensor)}
              onClick={() => void pointAt(tensor, station)}
            >
              {tensor}
            </button>
          );
        })}
    </p>
  );
}
