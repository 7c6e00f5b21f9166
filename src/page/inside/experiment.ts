import { batch, effect } from '@preact/signals';
import type { WorkerModel } from '../../embed/client.ts';
import { askedExperiment, type Experiment, experiment, nothingTried } from '../inside-open.ts';
import { shownText } from '../writing.ts';
import { type LessonName, lessons } from './lessons/lessons.ts';
import { go, lesson } from './lessons/player.tsx';
import { ask, type Cell, cell, neuron, neuronOf, rather, unfold, word } from './looking.ts';
import { reading } from './reading.ts';
import { aside, type Touch, touches } from './touch.ts';

/** What is tried out inside, to and from links: the cell, the neuron and the word asked about, the lesson and its step, the visitor's own touches. */

/** Keeps `experiment` true to what is tried out, and does what a link asks for once its text was read; until the function is called. */
export function followExperiment(): () => void {
  const stopTelling = effect(() => {
    const { name, step } = lesson.value ?? {};
    experiment.value = {
      cell: cell.value && spelledCell(cell.value),
      lesson: name && `${name} ${step! + 1}`,
      touches: (aside.value ?? touches.value).map(spelledTouch),
      neuron: neuron.value,
      word: word.value,
      rather: rather.value,
    };
  });
  let former = cell.peek();
  // A cell of an MLP that is asked about is its neuron's; one that a link brings has the link's neuron beside it.
  const stopNaming = effect(() => {
    const of = cell.value !== former ? neuronOf(cell.value) : undefined;
    former = cell.value;
    if (of) ask({ neuron: of.neuron });
  });
  const stopDoing = effect(() => {
    const asked = askedExperiment.value;
    const run = reading.value;
    // A link that is followed brings its text, too, which is read first; of a long one the end is.
    if (!asked || !run || !shownText.value.endsWith(run.text)) return;
    batch(() => {
      restore(asked, run.model);
      former = cell.peek();
      askedExperiment.value = undefined;
    });
  });
  return () => {
    stopTelling();
    stopNaming();
    stopDoing();
    experiment.value = nothingTried;
  };
}

/** What stood there before goes: the lesson that was open, and what it had set aside, are of another experiment. */
function restore(asked: Experiment, model: WorkerModel): void {
  lesson.value = undefined;
  aside.value = undefined;
  const all = asked.touches.map((text) => touchIn(text, model)).filter((one) => one !== undefined);
  touches.value = all;
  if (all.length > 0) unfold('touch');
  ask({ neuron: asked.neuron, word: asked.word, rather: asked.rather });
  const [name = '', nth] = asked.lesson?.split(' ') ?? [];
  if (Object.hasOwn(lessons, name)) go(name as LessonName, stepFor(name as LessonName, Number(nth) - 1));
  cell.value = asked.cell === undefined ? undefined : cellIn(asked.cell);
}

/** A step that is about what another one finds begins with that one: it is found anew. */
function stepFor(name: LessonName, wanted: number): number {
  const steps = lessons[name];
  const step = Math.max(0, Math.min(steps.length - 1, Number.isInteger(wanted) ? wanted : 0));
  const finds = steps.findIndex(({ find }) => find !== undefined);
  return finds >= 0 && finds < step ? finds : step;
}

const spelledCell = ({ kind, name, index }: Cell) => `${kind} ${name} ${index.join()}`;

export function cellIn(text: string): Cell | undefined {
  const [, kind, name, index = ''] = /^(tensor|weight) ([\w.]+) (\d+(?:,\d+)*)$/.exec(text) ?? [];
  return kind && name ? { kind: kind as Cell['kind'], name, index: index.split(',').map(Number) } : undefined;
}

export function spelledTouch(one: Touch): string {
  switch (one.kind) {
    case 'head':
      return `head ${one.layer} ${one.head} ${one.factor}`;
    case 'mlp':
      return `mlp ${one.layer} ${one.factor}`;
    case 'attention':
      return `attention ${one.layer} ${one.head} ${one.position} ${spelled(one.row)} ${spelled(one.before)}`;
    case 'patch': {
      const { layer, name, head = '-', position, values, from } = one;
      return `patch ${layer} ${name} ${head} ${position} ${spelled(values)} ${encodeURIComponent(from)}`;
    }
    default:
      return one satisfies never;
  }
}

/** A touch of this model; undefined for what is none. Whether the model has the place is seen where it is used. */
export function touchIn(text: string, model: WorkerModel): Touch | undefined {
  const [kind, ...rest] = text.split(' ');
  const whole = (i: number) => (/^\d+$/.test(rest[i] ?? '') ? Number(rest[i]) : Number.NaN);
  const [layer, head] = [whole(0), whole(1)];
  if (Number.isNaN(layer)) return undefined;
  switch (kind) {
    case 'head':
    case 'mlp': {
      const factor = Number.parseFloat(rest[kind === 'head' ? 2 : 1] ?? '');
      if (!(Math.abs(factor) <= 100) || (kind === 'head' && Number.isNaN(head))) return undefined;
      return kind === 'head' ? { kind, layer, head, factor } : { kind, layer, factor };
    }
    case 'attention': {
      const [position, row, before] = [whole(2), numbersIn(rest[3]), numbersIn(rest[4])];
      const fits = (one: Float32Array | undefined) => one?.length === position + 1 && one.every((share) => share >= 0);
      if (Number.isNaN(head) || !fits(row) || !fits(before)) return undefined;
      return { kind, layer, head, position, row: row!, before: before! };
    }
    case 'patch': {
      const [, name = '', , , , from = ''] = rest;
      const [position, values] = [whole(3), numbersIn(rest[4])];
      const shape = model.tensors().find((tensor) => tensor.name === name)?.shape;
      const isHeads = shape?.length === 3;
      if (!values || values.length !== shape?.at(-1) || Number.isNaN(position) || isHeads === Number.isNaN(whole(2)))
        return undefined;
      const where = { layer, name, position, ...(isHeads && { head: whole(2) }) };
      return { kind, ...where, values, model, from: decoded(from) };
    }
    default:
      return undefined;
  }
}

/** The bits of numbers, so that what comes back is the same to the last. */
function spelled(values: Float32Array): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return btoa(String.fromCharCode(...bytes));
}

function numbersIn(text: string | undefined): Float32Array | undefined {
  try {
    const bytes = Uint8Array.from(atob(text ?? ''), (character) => character.charCodeAt(0));
    const values = new Float32Array(bytes.buffer);
    return values.every(Number.isFinite) ? values : undefined;
  } catch {
    return undefined;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
