import { Adapter } from '../adapter/adapter.ts';
import type { AdapterContent } from '../adapter/parts.ts';
import { badOption, VitrineError } from '../plan/error.ts';
import { afar, type FarModel, type FarRun } from '../run/afar.ts';
import { type Checkpoint, notBegun } from './checkpoint.ts';
import type { Example } from './examples.ts';
import type { RunMemory } from './memory.ts';
import type { TrainOptions } from './options.ts';
import type { Course, PlainStep, Trained } from './run.ts';
import { adapterOf, TrainedModel } from './trained.ts';
import { Diverged } from './training.ts';

/** What a model's thread answers of a run. */
export interface FarAnswer {
  step?: PlainStep;
  /** Of a run that has ended. */
  trained?: Omit<Trained, 'adapter'>;
  /** After the last whole step; of a whole model only in the end. */
  checkpoint?: Checkpoint;
  model?: TrainedModel['whole'];
  memory?: RunMemory;
  /** Of a run whose first step diverged: what it began with. */
  begun?: AdapterContent | TrainedModel['whole'];
}

/** A run in the thread of its model: a step is taken there when it is asked for here. */
export class CourseAfar implements Course {
  readonly #model: FarModel;
  readonly #run: FarRun;
  readonly #options: TrainOptions;
  #checkpoint: Checkpoint | undefined;
  #whole: TrainedModel | undefined;
  /** The thread holds the run. */
  #isOpen = false;
  /** Settles when the thread holds it no more. */
  #closing: Promise<FarAnswer | undefined> | undefined;
  #trained: Trained | undefined;

  constructor(model: FarModel, examples: readonly Example[], options: TrainOptions) {
    this.#model = model;
    this.#run = model[afar].run(examples, options);
    this.#options = options;
  }

  async *steps(): AsyncGenerator<PlainStep, Trained> {
    try {
      for (;;) {
        const { step, trained } = await this.#ask('next');
        if (!step) return this.#end(trained!);
        yield step;
      }
    } finally {
      if (this.#isOpen) await this.#close();
    }
  }

  async finish(): Promise<Trained | undefined> {
    if (this.#isOpen) {
      const { trained } = await this.#ask('return');
      this.#isOpen = false;
      return trained && this.#end(trained);
    }
    await this.#closing;
    const { adapter } = this;
    if (this.#trained || !adapter) return this.#trained;
    await this.#model.setAdapter(adapter);
    const { step: steps, loss, evaluation } = this.#checkpoint!;
    this.#trained = { adapter, steps, loss, evaluation };
    return this.#trained;
  }

  get adapter(): Adapter | undefined {
    if (this.#trained) return this.#trained.adapter;
    return this.#whole ?? (this.#checkpoint && adapterIn(this.#checkpoint));
  }

  checkpoint(): Checkpoint {
    if (!this.#checkpoint && this.#isOpen && this.#options.method === 'full') {
      const hint = 'End it with return(), or by leaving the loop.';
      throw badOption('What all weights have learnt in a worker crosses when the run has ended.', hint);
    }
    if (!this.#checkpoint) throw notBegun();
    return this.#checkpoint;
  }

  async memory(): Promise<RunMemory> {
    return (await this.#ask('memory')).memory!;
  }

  #end(trained: Omit<Trained, 'adapter'>): Trained {
    this.#isOpen = false;
    this.#trained = { ...trained, adapter: this.adapter! };
    return this.#trained;
  }

  /** Has the thread forget the run. Of a whole model what was learnt comes now; else it came with the last step. */
  #close(): Promise<FarAnswer | undefined> {
    this.#isOpen = false;
    this.#closing = this.#run.ask('end', undefined).then(
      (answer) => {
        if (this.#options.method === 'full') this.#hear(answer);
        return answer as FarAnswer;
      },
      () => undefined, // the thread has ended, or forgotten its model
    );
    return this.#closing;
  }

  async #ask(what: 'next' | 'return' | 'memory'): Promise<FarAnswer> {
    const { signal, method } = this.#options;
    try {
      this.#isOpen = true;
      return this.#hear(await this.#run.ask(what, what === 'return' ? undefined : signal));
    } catch (error) {
      if (what === 'memory') throw error; // the next step says it again
      const closing = this.#close();
      if (signal?.aborted && method !== 'full') throw error;
      const begun = (await closing)?.begun;
      const adapter = this.adapter ?? (begun && made(begun));
      const hasDiverged = adapter && error instanceof VitrineError && error.code === 'diverged';
      throw hasDiverged ? new Diverged(error.message.replace(` ${error.hint}`, ''), adapter) : error;
    }
  }

  #hear(answer: unknown): FarAnswer {
    const heard = answer as FarAnswer;
    if (heard.checkpoint) this.#checkpoint = heard.checkpoint;
    if (heard.model) this.#whole = new TrainedModel(...heard.model);
    return heard;
  }
}

const adapterIn = ({ params, config, head, method }: Checkpoint): Adapter | undefined =>
  method === 'full' ? undefined : adapterOf(params, config, head);

const made = (begun: NonNullable<FarAnswer['begun']>): Adapter =>
  'tensors' in begun ? new Adapter(begun) : new TrainedModel(...begun);
