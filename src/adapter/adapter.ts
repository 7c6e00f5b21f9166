import type { CacheStore } from '../load/cache-store.ts';
import type { BaseConfig } from '../model/family.ts';
import { badOption, type VitrineError } from '../plan/error.ts';
import { part } from '../plan/part.ts';
import { configFile, type LoraConfig, readLoraConfig, weightFile } from './config.ts';
import { headFiles, headTensors } from './head.ts';
import { inOrder } from './interleaved.ts';
import { type AdapterContent, type AdapterParts, partsOf } from './parts.ts';
import { utf8, writeSafetensors } from './write.ts';

/** What a head alone is beside: a LoRA of nothing, which peft knows by this name. */
const headAlone = { peft_type: 'LORA', r: 1, lora_alpha: 1, target_modules: 'dummy-target-modules' };

const putOnFirst = 'Put it on its model first, on this thread: setAdapter.';

let made = 0;
/** Those that have crossed, as long as somebody holds them: what is put on again is at hand. */
const crossed = new Map<string | undefined, WeakRef<Adapter>>();

/** Makes the files of a whole model. */
type Merge = (signal?: AbortSignal) => Promise<Record<string, Uint8Array<ArrayBuffer>>>;

/** Changes to a model, small beside it: low-rank ones of its layers (LoRA), and tensors in place of its own. */
export class Adapter {
  content: AdapterContent;
  readonly config: LoraConfig;

  /** @throws VitrineError `bad-checkpoint`, `unsupported-checkpoint` as `loadAdapter` */
  constructor(content: AdapterContent) {
    this.content = { ...content, key: content.key ?? `${++made} ${Math.random()}` };
    this.config = readLoraConfig(this.#isHead ? headAlone : content.config);
    this.parts(); // what is wrong is told now
  }

  /** There is nothing but a head. */
  get #isHead(): boolean {
    return this.content.head !== undefined && this.content.tensors.size === 0;
  }

  get name(): string {
    return this.content.name;
  }

  /**
   * @internal
   * @param isLinear for `all-linear`, whether a module is a linear layer and not the output layer
   * @param base tells the rows of a head, by which what is interleaved is put in order
   */
  parts(isLinear?: (module: string) => boolean, base?: BaseConfig): AdapterParts {
    if (this.#isHead) return { lowRank: [], replaced: [] };
    return partsOf(this.config, this.#tensorsFor(base), weightFile, isLinear);
  }

  #tensorsFor(base: BaseConfig | undefined): AdapterContent['tensors'] {
    const { tensors, interleaved } = this.content;
    return interleaved && base ? inOrder(tensors, base) : tensors;
  }

  /** @internal It fits a model: its tensors stay in the order that this has told. */
  settle(base: BaseConfig): void {
    if (!this.content.interleaved) return;
    this.content = { ...this.content, tensors: this.#tensorsFor(base), interleaved: false };
  }

  /** No field of the object itself: a function does not cross into a worker. */
  #merge: Merge | undefined;

  /** @internal Told by the model that it is put on. */
  onBase(merge: Merge): void {
    this.#merge = merge;
  }

  /**
   * The files of a whole model, float32: the one that it was put on last, with its changes in it.
   * @throws VitrineError `bad-option` where it was on none yet, or no file can hold the outcome; `network`
   */
  async merge(options: { signal?: AbortSignal } = {}): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
    if (this.#merge) return this.#merge(options.signal);
    throw badOption(`${this.name} was on no model yet, and only that has the base's weights.`, putOnFirst);
  }

  /**
   * Keeps it in the browser's storage, in Node in a folder, under a name: `models.list()` shows it, `loadAdapter({ saved: name })`
   * reads it, `models.delete(name)` deletes it. What had the name before makes room.
   * @param cache another store, as of `load`
   */
  async save(name: string, cache?: CacheStore): Promise<void> {
    if (typeof name !== 'string' || name === '') throw badOption('An adapter is saved under a name.');
    const { saveFiles } = await part('What keeps adapters', () => import('./saved.ts'));
    await saveFiles(name, this.files(), cache);
  }

  /**
   * Its files in peft's format, by name: Python's peft loads them.
   * @throws VitrineError `bad-option` for an adapter of llama.cpp's that was on no model yet
   */
  files(): Record<string, Uint8Array<ArrayBuffer>> {
    const { head, tensors, interleaved } = this.content;
    if (interleaved) throw badOption(`${this.name} has rows in an order that depends on its model.`, putOnFirst);
    if (this.#isHead && !head!.module) return headFiles(head!);
    const module = head?.module;
    const own = { ...(this.#isHead && headAlone), ...this.content.config };
    const config: Record<string, unknown> = { ...own, inference_mode: true };
    if (module) {
      const { modules_to_save: others } = config;
      config.modules_to_save = [...(Array.isArray(others) ? others : []), module];
      if (module === 'score') config.task_type = 'SEQ_CLS';
    }
    return {
      ...(head && headFiles(head)),
      [configFile]: utf8(`${JSON.stringify(config, null, 2)}\n`),
      [weightFile]: writeSafetensors(new Map([...tensors, ...(module ? headTensors(head!) : [])]), { format: 'pt' }),
    };
  }
}

/** Whether a value is an adapter, by its content: it may have crossed into a worker, or come from another copy of the library. */
export function isAdapter(value: unknown): value is Adapter {
  const content = (value as Partial<Adapter> | null)?.content;
  return typeof content === 'object' && content !== null && 'tensors' in content;
}

/** An adapter that came from a worker's caller has its content alone. */
export function asAdapter(value: Adapter): Adapter {
  if (value instanceof Adapter) return value;
  const { content } = value as Adapter;
  const known = content.key === undefined ? undefined : crossed.get(content.key)?.deref();
  if (known) return known;
  for (const [key, held] of crossed) if (!held.deref()) crossed.delete(key);
  const adapter = new Adapter(content);
  crossed.set(adapter.content.key, new WeakRef(adapter));
  return adapter;
}

export function notAnAdapter(found: string): VitrineError {
  const hint = "loadAdapter of 'vitrine/learn' makes one.";
  return badOption(`The adapter is ${found}; expected an adapter, a list of them with weights, or null.`, hint);
}
