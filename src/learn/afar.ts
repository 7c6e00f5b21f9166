import type { Adapter } from '../adapter/adapter.ts';
import { VitrineError } from '../plan/error.ts';
import { afar, type FarModel, type FarRun } from '../run/afar.ts';
import { type Checkpoint, notBegun } from './checkpoint.ts';
import type { Example } from './examples.ts';
import type { TrainOptions } from './options.ts';
import type { Course, PlainStep, Trained } from './run.ts';
import { adapterOf, TrainedModel } from './trained.ts';

/** What a model's thread answers of a run. */
export interface FarAnswer {
  step?: PlainStep;
  /** Of a run that has ended. */
  trained?: Omit<Trained, 'adapter'>;
  /** After the last whole step; of a whole model only in the end. */
  checkpoint?: Checkpoint;
  model?: TrainedModel['whole'];
}

/** A run in the thread of its model: a step is taken there when it is asked for here. */
export class CourseAfar implements Course {
  readonly #run: FarRun;
  readonly #options: TrainOptions;
  #checkpoint: Checkpoint | undefined;
  #model: TrainedModel | undefined;
  #begun = false;
  #trained: Trained | undefined;

  constructor(model: FarModel, examples: readonly Example[], options: TrainOptions) {
    this.#run = model[afar].run(examples, options);
    this.#options = options;
  }

  async *steps(): AsyncGenerator<PlainStep, Trained> {
    for (;;) {
      const { step, trained } = await this.#ask('next');
      if (!step) return this.#end(trained!);
      yield step;
    }
  }

  async finish(): Promise<Trained | undefined> {
    if (this.#trained || !this.#begun) return this.#trained;
    const { trained } = await this.#ask('return');
    return trained && this.#end(trained);
  }

  get adapter(): Adapter | undefined {
    if (this.#trained) return this.#trained.adapter;
    return this.#model ?? (this.#checkpoint && adapterIn(this.#checkpoint));
  }

  checkpoint(): Checkpoint {
    if (!this.#checkpoint && this.#begun && this.#options.method === 'full') {
      throw new VitrineError('bad-option', 'What all weights have learnt in a worker crosses when the run has ended.', {
        hint: 'End it with return(), or by leaving the loop.',
      });
    }
    if (!this.#checkpoint) throw notBegun();
    return this.#checkpoint;
  }

  #end(trained: Omit<Trained, 'adapter'>): Trained {
    this.#trained = { ...trained, adapter: this.adapter! };
    return this.#trained;
  }

  async #ask(what: 'next' | 'return'): Promise<FarAnswer> {
    const { signal, method } = this.#options;
    try {
      this.#begun = true;
      return this.#hear(await this.#run.ask(what, what === 'next' ? signal : undefined));
    } catch (error) {
      this.#begun = false;
      const last = this.#run.ask('end', undefined).then(
        (answer) => this.#hear(answer),
        () => {}, // the thread has ended, or forgotten its model
      );
      // What was learnt came with the last step; of a whole model it comes now.
      if (!signal?.aborted || method === 'full') await last;
      if (error instanceof VitrineError && error.code === 'diverged') Object.assign(error, { adapter: this.adapter });
      throw error;
    }
  }

  #hear(answer: unknown): FarAnswer {
    const heard = answer as FarAnswer;
    if (heard.checkpoint) this.#checkpoint = heard.checkpoint;
    if (heard.model) this.#model = new TrainedModel(...heard.model);
    return heard;
  }
}

const adapterIn = ({ params, config, labels, method }: Checkpoint): Adapter | undefined =>
  method === 'full' ? undefined : adapterOf(params, config, labels);
