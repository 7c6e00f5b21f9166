import type { DecodeRequest, Drawn, DrawSettings, ProgramSize } from '../plan/backend.ts';
import type { Buffers } from './buffers.ts';
import { type Dispatch, encode, prepare } from './dispatch.ts';
import type { RunSizes } from './kernel.ts';
import { MOST_TOP, ring, type SamplerBuffers, sample, samplerBuffers } from './kernels/sample.ts';
import { Readback, type Reserved, type Source } from './readback.ts';
import type { Pipelines } from './shader.ts';
import { MOST_TOKENS, SubmitSize } from './submit-size.ts';

const MOST_ENDS = 8;
const IN_FLIGHT = 2;

export const drawLimits = { topLogprobs: MOST_TOP, ends: MOST_ENDS } as const;

/** What a decoder drives: the dispatches of a step, its rows, and the logits that it makes. */
export interface DecodeSteps {
  batch: GPUBuffer;
  vocabulary: number;
  /** Of the program: while it decodes, only the device knows how many positions are in use. */
  size: ProgramSize;
  one: { dispatches: Dispatch[]; logits: GPUBuffer };
  many: { dispatches: Dispatch[]; logits: GPUBuffer };
}

/** What a decoder is made of. */
interface Made {
  device: GPUDevice;
  steps: DecodeSteps;
  owned: Buffers;
  buffers: SamplerBuffers;
  readback: Readback;
  /** What samples, behind a step for one row and for many. */
  afterOne: Dispatch[];
  afterMany: Dispatch[];
}

/**
 * The decode loop on the device: step, sample, step, sample, several tokens in one pass and one submit. The CPU only
 * reads the ring of drawn tokens, one submit behind.
 */
export class Decoder {
  readonly #made: Made;
  readonly #oneRow: RunSizes;

  private constructor(made: Made) {
    this.#made = made;
    const { context, source = 0 } = made.steps.size;
    this.#oneRow = { rows: 1, logitRows: 1, context, source, tiles: { context: false, source: false } };
  }

  static async create(device: GPUDevice, pipelines: Pipelines, owned: Buffers, steps: DecodeSteps): Promise<Decoder> {
    const { vocabulary } = steps;
    const made = await owned.allocate(`the sampler of ${vocabulary} words`, () => ({
      buffers: samplerBuffers(vocabulary, (name, bytes) => owned.create(`sampler: ${name}`, bytes)),
      readback: new Readback(device, owned, { count: IN_FLIGHT, bytes: MOST_TOKENS * ring.words * 4 }),
    }));
    const after = ({ logits }: { logits: GPUBuffer }) =>
      prepare(device, pipelines, sample(steps.batch, logits, vocabulary, made.buffers));
    const [afterOne, afterMany] = await Promise.all([after(steps.one), after(steps.many)]);
    return new Decoder({ device, steps, owned, ...made, afterOne, afterMany });
  }

  /** `writeRows` writes the rows of the request to the batch buffer. */
  async *run(request: DecodeRequest, writeRows: () => RunSizes): AsyncGenerator<Drawn[], void> {
    const { rows, prompt, generated, limit, settings } = request;
    request.signal?.throwIfAborted();
    const sizes = writeRows();
    this.#write(prompt, generated, settings);
    const inFlight: { drawn: Promise<Drawn[]>; count: number; prefills: boolean }[] = [];
    const size = new SubmitSize(request.submitMs);
    let index = generated.length;
    const end = index + limit;
    let prefills = rows.length > 1;
    while (index < end || inFlight.length > 0) {
      while (index < end && inFlight.length < IN_FLIGHT) {
        const count = Math.min(size.tokens, end - index);
        const sources = this.#sources(index, count);
        const reserved = await this.#made.readback.reserve(sources);
        request.signal?.throwIfAborted();
        this.#made.owned.alive();
        const before = inFlight.reduce((sum, one) => sum + one.count, 0);
        // What waits for a prefill tells nothing of tokens.
        const isTelling = !prefills && !inFlight.some((one) => one.prefills);
        const start = performance.now();
        const patientMs = size.patienceFor(before + count);
        const drawn = this.#submit(count, prefills ? sizes : undefined, reserved, patientMs).then((read) => {
          if (isTelling) size.ended(before + count, performance.now() - start);
          return sources.flatMap((source) => decodeRecords(read.get(source)!, settings.topLogprobs));
        });
        // A caller that stops early never awaits it; disposing then must not raise an unhandled rejection.
        drawn.catch(() => {});
        inFlight.push({ drawn, count, prefills });
        prefills = false;
        index += count;
      }
      const drawn = await inFlight.shift()!.drawn;
      if (drawn.length > 0) yield drawn;
      if (drawn.some(({ id }) => settings.ends.includes(id))) return;
    }
  }

  /** One submit of `count` tokens; the first of them may be a prefill of many rows. */
  #submit(count: number, prefill: RunSizes | undefined, reserved: Reserved, patientMs: number) {
    const encoder = this.#made.device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < count; i++) {
      if (i === 0 && prefill) {
        encode(pass, this.#made.steps.many.dispatches, prefill);
        encode(pass, this.#made.afterMany, prefill);
      } else {
        encode(pass, this.#made.steps.one.dispatches, this.#oneRow);
        encode(pass, this.#made.afterOne, this.#oneRow);
      }
    }
    pass.end();
    return this.#made.readback.read(encoder, reserved, patientMs);
  }

  /** Where the records of a submit are; at the ring's end they come in two runs. */
  #sources(index: number, count: number): Source[] {
    const start = index % ring.records;
    const before = Math.min(count, ring.records - start);
    const record = ring.words * 4;
    const { ring: buffer } = this.#made.buffers;
    const run = (first: number, count: number) => ({ buffer, offset: first * record, bytes: count * record });
    return before === count ? [run(start, count)] : [run(start, before), run(0, count - before)];
  }

  #write(prompt: readonly number[], generated: readonly number[], settings: DrawSettings): void {
    const { queue } = this.#made.device;
    const counts = new Uint32Array(this.#made.steps.vocabulary);
    for (const id of prompt) counts[id] = 0x80000000;
    for (const id of generated) counts[id]!++;
    const bias = new Float32Array(this.#made.steps.vocabulary);
    for (const [id, value] of settings.logitBias) bias[id] = value;
    queue.writeBuffer(this.#made.buffers.counts, 0, counts);
    queue.writeBuffer(this.#made.buffers.bias, 0, bias);
    queue.writeBuffer(this.#made.buffers.state, 0, Uint32Array.of(generated.length, 0, 0, 0));
    queue.writeBuffer(this.#made.buffers.settings, 0, settingsBytes(settings));
  }
}

/** The struct Settings of shaders/sampler.wgsl. */
function settingsBytes(settings: DrawSettings): ArrayBuffer {
  const bytes = new ArrayBuffer(80);
  const { temperature, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty } = settings;
  new Float32Array(bytes).set([temperature, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty]);
  const { topK, topLogprobs, seed, sequence, ends } = settings;
  new Uint32Array(bytes).set([Math.min(topK, 0xffffffff), topLogprobs, ...seed, sequence, ends.length, ...ends], 6);
  return bytes;
}

/** Drawn tokens up to the end of the text. */
function decodeRecords(records: Float32Array, top: number): Drawn[] {
  const words = new Uint32Array(records.buffer, records.byteOffset, records.length);
  const drawn: Drawn[] = [];
  for (let at = 0; at < words.length; at += ring.words) {
    if (words[at + 1]) break;
    drawn.push({
      id: words[at]!,
      logprob: records[at + 2]!,
      top: Array.from({ length: top }, (_, n) => ({ id: words[at + 4 + 2 * n]!, logprob: records[at + 5 + 2 * n]! })),
    });
  }
  return drawn;
}
