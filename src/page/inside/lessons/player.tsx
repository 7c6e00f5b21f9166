import './lessons.css';
import { signal } from '@preact/signals';
import { useEffect, useState } from 'preact/hooks';
import { cell, layer, unfold } from '../looking.ts';
import { reading, useLater } from '../reading.ts';
import { words } from './words.ts';
import { type LessonName, lessons } from './lessons.ts';
import { pointAt, stopPointing } from './point.ts';

/** The lesson under way. */
const lesson = signal<{ name: LessonName; step: number } | undefined>(undefined);

function go(name: LessonName, step: number): void {
  const { station, prepare } = lessons[name][step]!;
  cell.value = undefined;
  prepare?.();
  unfold(station);
  lesson.value = { name, step };
}

const nameOf = (tensor: string) => tensor.replace('.N.', `.${layer.value}.`);

/** The list of lessons, and the one under way: its text stays in view while it drives the pictures. */
export function Lessons() {
  const names = Object.keys(lessons) as LessonName[];
  return (
    <nav class="lessons" aria-labelledby="lessons-title">
      <h3 id="lessons-title">{words.title}</h3>
      <p class="summary">{words.intro}</p>
      <ol>
        {names.map((name) => (
          <li>
            <button type="button" aria-current={lesson.value?.name === name} onClick={() => go(name, 0)}>
              {words.lessons[name].title}
            </button>
          </li>
        ))}
      </ol>
      {lesson.value && <Open key={`${lesson.value.name} ${lesson.value.step}`} {...lesson.value} />}
    </nav>
  );
}

function Open({ name, step }: { name: LessonName; step: number }) {
  const steps = lessons[name];
  const { title, steps: texts } = words.lessons[name];
  const isLast = step === steps.length - 1;
  const close = () => {
    lesson.value = undefined;
  };
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
      <Text name={name} step={step} text={texts[step] as (...values: (string | number)[]) => string} />
      <div class="steps">
        <button type="button" class="plain" disabled={step === 0} onClick={() => go(name, step - 1)}>
          {words.previous}
        </button>
        <button type="button" class="primary" onClick={() => (isLast ? close() : go(name, step + 1))}>
          {isLast ? words.done : words.next}
        </button>
      </div>
    </section>
  );
}

interface TextProps {
  name: LessonName;
  step: number;
  text: (...values: (string | number)[]) => string;
}

/** A step's words with the numbers of the running model, read once for each text. */
function Text({ name, step, text }: TextProps) {
  const [progress, setProgress] = useState<[done: number, total: number] | undefined>(undefined);
  const run = reading.value;
  const { values, station, tensor: picture } = lessons[name][step]!;
  const { value, failure } = useLater(
    (signal) => (values ? run && values(run, (...now) => setProgress(now), signal) : Promise.resolve([])),
    [run, name, step],
  );
  useEffect(() => {
    if (value) void pointAt(nameOf(picture), station); // reading them may have chosen a block
  }, [value]);
  useEffect(() => stopPointing, []);
  if (failure !== undefined) return <p role="alert">{words.failed(String(failure))}</p>;
  if (!value) return <p class="summary">{progress ? words.measuring(...progress) : words.reading}</p>;
  return (
    <p class="words" aria-live="polite" data-values={JSON.stringify(value)}>
      {text(...value)
        .split('`')
        .map((part, i) => {
          if (i % 2 === 0) return part;
          const tensor = nameOf(part);
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
