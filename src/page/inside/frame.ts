import { createContext } from 'preact';
import { useContext, useEffect, useMemo, useState } from 'preact/hooks';
import type { TracedTensor } from '../../index.ts';
import { visible } from '../format.ts';
import { rowOf } from '../shares.ts';
import { isAbort } from './later.ts';
import { head, layer, position } from './looking.ts';
import { current, type Reading } from './reading.ts';

/** Which token, block and head. */
export interface Place {
  layer: number;
  head: number;
  position: number;
}

/** What a view draws: some tensors of one reading, all of them, and the place in it that is looked at. They belong together. */
export class Frame implements Place {
  readonly reading: Reading;
  readonly layer: number;
  readonly head: number;
  readonly position: number;
  readonly #tensors: ReadonlyMap<string, TracedTensor>;

  constructor(reading: Reading, place: Place, tensors: ReadonlyMap<string, TracedTensor>) {
    this.reading = reading;
    this.layer = place.layer;
    this.head = place.head;
    this.position = place.position;
    this.#tensors = tensors;
  }

  /** One that was asked for. */
  tensor(name: string): TracedTensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new Error(`The view did not ask for ${name}.`);
    return tensor;
  }

  /** The looked at token's row of a tensor [tokens, ...]. */
  row(name: string): Float32Array {
    return rowOf(this.tensor(name), this.position);
  }

  /** [vocabSize], after the token looked at. */
  get logits(): Float32Array {
    return this.tensor('logits').data;
  }

  /** A token as it is read. */
  text(at = this.position): string {
    return visible(this.reading.texts[at]!);
  }

  /** The frame of another place, if all that is asked for of it is here already: logits are of one position alone. */
  at(place: Place, names: readonly string[]): Frame | undefined {
    const isHere = (name: string) => this.#tensors.has(name) && (name !== 'logits' || place.position === this.position);
    return names.every(isHere) ? new Frame(this.reading, place, this.#tensors) : undefined;
  }
}

export interface Shown {
  frame: Frame;
  /** Another one is being read: this is the last whole one. */
  stale: boolean;
}

/** All tensors that a view asks for by name, `logits` among them, at the place looked at; until they are there, the last whole frame. */
export function useFrame(
  names: readonly string[],
  of: Reading | undefined = current.value,
): Partial<Shown> & { failure?: unknown } {
  const [last, setLast] = useState<{ frame: Frame; when: string; names: string } | undefined>(undefined);
  const [failure, setFailure] = useState<{ of: unknown; what: unknown } | undefined>(undefined);
  const place = { layer: layer.value, head: head.value, position: position.value };
  const when = `${place.layer} ${place.head} ${place.position}`;
  const all = names.join();
  const derived = useMemo(() => {
    if (!of || last?.frame.reading !== of) return undefined;
    if (last.when === when && last.names === all) return last.frame;
    return last.frame.at(place, names);
  }, [last, of, when, all]);
  useEffect(() => {
    if (!of || derived) return undefined;
    let isLeft = false;
    const vocabulary = async () => ({ data: await of.logits(place.position), shape: [1, of.model.config.vocabSize] });
    Promise.all(names.map((name) => (name === 'logits' ? vocabulary() : of.tensor(name)))).then(
      (read) => {
        if (isLeft) return;
        const tensors = new Map(names.map((name, i) => [name, read[i]!]));
        setLast({ frame: new Frame(of, place, tensors), when, names: all });
      },
      (what: unknown) => isLeft || isAbort(what) || setFailure({ of, what }),
    );
    return () => {
      isLeft = true;
    };
  }, [of, when, all, derived]);
  const frame = derived ?? last?.frame;
  if (failure?.of === of && !derived) return { failure: failure?.what };
  // Of another model, it is of another picture.
  if (!frame || (of && frame.reading.model !== of.model)) return {};
  return { frame, stale: frame !== derived };
}

const FrameContext = createContext<Shown | undefined>(undefined);

/** Hands a frame to the pictures of a view. */
export const Framed = FrameContext.Provider;

/** The frame of the view that a picture is in. */
export function useShown(): Shown {
  return useContext(FrameContext)!;
}
