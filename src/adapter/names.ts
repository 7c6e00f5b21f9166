import { type BaseConfig, type Family, headsOf } from '../model/family.ts';
import type { Uses } from '../plan/adapt.ts';
import { type Plan, piecesOf, stepsOf, stepWeights, type WeightSpec } from '../plan/plan.ts';

/** A model that an adapter is put on. */
export interface Base {
  family: Family;
  config: BaseConfig;
  plan: Plan;
}

/** A tensor of the base, where the plan keeps it: the weight, or a part of one, and which uses of it are meant. */
export interface Place {
  spec: WeightSpec;
  /** Its name in the plan. */
  part: string;
  /** The first of its rows, or of a vector its values, and how many they are. */
  first: number;
  length: number;
  uses: Uses;
  /** Its shape in the file where the weight is computed from it. */
  source?: readonly number[];
}

/** The output layer by its names of other days and families. */
const head = /^(lm_head|embed_out)\./;
/** Modules that a model has, but computes nothing with: its parts have tables of their own. */
const idle = /^(model\.)?shared\./;

/** Finds tensors by their names in transformers, whatever the base's files call them. */
export class BaseNames {
  readonly #base: Base;
  readonly #places = new Map<string, Place>();
  readonly #lookups = new Set<string>();
  readonly #layers = new Set<string>();
  /** Tables that are added to attention's scores. */
  readonly #biases = new Set<string>();
  /** The output layer, where it chooses words. */
  readonly output: string | undefined;

  constructor(base: Base) {
    const { plan, family, config } = base;
    this.#base = base;
    for (const spec of plan.weights) {
      let first = 0;
      for (const { name, length } of piecesOf(spec)) {
        this.#places.set(name, { spec, part: name, first, length, uses: 'all' });
        first += length;
      }
    }
    for (const spec of plan.weights) {
      for (const { name, shape } of spec.computed?.from ?? []) {
        const known = this.#places.get(name);
        if (known && !known.spec.computed) continue;
        this.#places.set(name, { spec, part: name, first: 0, length: 0, uses: 'all', source: shape });
      }
    }
    const steps = stepsOf(plan);
    for (const step of steps) {
      if (step.op === 'embed') for (const name of stepWeights(step)) this.#lookups.add(name);
      else if (step.op === 'linear')
        this.#layers.add(step.weight); // T5's biases by distance are a matrix, and no layer
      else if ((step.op === 'attentionScores' || step.op === 'attention') && step.bias !== undefined)
        this.#biases.add(step.bias);
    }
    const last = steps.findLast((step) => step.op === 'linear' && step.outputs.includes('logits'));
    const writes = headsOf(family, config).some((one) => one === 'next-words' || one === 'masked-words');
    this.output = writes && last?.op === 'linear' ? last.weight : undefined;
  }

  /** @param name with `.weight` or `.bias`; undefined where the base has no such tensor, 'idle' where it does nothing there */
  find(name: string): Place | 'idle' | undefined {
    const { family, config, plan } = this.#base;
    if (plan.encoder && idle.test(name)) return 'idle';
    const own = family.nameOf(name) ?? name;
    const tie = family.ties(config).find((names) => names.includes(own));
    const isHead = head.test(own) && own.endsWith('.weight');
    const place = this.#places.get(own) ?? this.#places.get(tie?.[0] ?? (isHead ? (this.output ?? '') : ''));
    // The bias of masked words, which an output layer of its own leaves to nobody.
    if (!place && this.#places.has(own.replace(/(^|\.)bias$/, '$1decoder.bias'))) return 'idle';
    if (!place) return undefined;
    const { name: whole } = place.spec;
    if (!this.#lookups.has(whole)) return place;
    // A table with several uses: which of them a module is tells its name.
    const part = plan.encoder && /^(encoder|decoder)\.embed_tokens\./.exec(own)?.[1];
    if (part) return { ...place, uses: `lookups of the ${part as 'encoder' | 'decoder'}` };
    if (!this.#layers.has(whole)) return place;
    const isOutput = isHead || (tie !== undefined && tie.indexOf(own) > 0);
    return { ...place, uses: isOutput ? 'layers' : 'lookups' };
  }

  /** Whether a module is a linear layer that is no output layer: one of `all-linear`. */
  isLinear(module: string): boolean {
    const place = this.find(`${module}.weight`);
    if (place === undefined || place === 'idle') return false;
    return this.#layers.has(place.spec.name) && place.spec.kind === 'matrix' && !this.#isOutput(place);
  }

  #isOutput({ spec, uses }: Place): boolean {
    return spec.name === this.output && uses !== 'lookups';
  }

  /** Whether a place is a table that is looked up, and whether it is multiplied with. */
  isTable({ spec, uses }: Place): boolean {
    return !spec.computed && this.#lookups.has(spec.name) && uses !== 'layers';
  }

  /** Whether a place is a table of T5's biases by distance, which are computed from it. */
  isBias({ spec, source }: Place): boolean {
    return source?.length === 2 && this.#biases.has(spec.name);
  }

  isLayer({ spec, uses }: Place): boolean {
    return this.#layers.has(spec.name) && spec.kind === 'matrix' && (uses === 'all' || uses === 'layers');
  }
}
