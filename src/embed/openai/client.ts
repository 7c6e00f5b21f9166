import type { LanguageModel } from '../../index.ts';
import { checkOptions, isString } from '../../run/check.ts';
import { answer, chunks } from './completions.ts';
import { invalid } from './error.ts';
import { readCompletionParams } from './params.ts';
import type {
  Completion,
  CompletionCreateParams,
  CompletionCreateParamsNonStreaming,
  CompletionCreateParamsStreaming,
  CompletionStream,
  ModelObject,
  RequestOptions,
} from './types.ts';

export interface OpenAIOptions {
  /** What `models.list` calls the model, and answers to requests that name none: `'vitrine'` by default. */
  id?: string;
}

/** Models as `models.list` gives them: one page, which is also a loop of its models. */
export interface ModelList extends AsyncIterable<ModelObject> {
  object: 'list';
  data: ModelObject[];
}

/** What code written for the `openai` package calls. */
export interface OpenAIClient {
  completions: {
    create(params: CompletionCreateParamsNonStreaming, options?: RequestOptions): Promise<Completion>;
    create(params: CompletionCreateParamsStreaming, options?: RequestOptions): Promise<CompletionStream>;
    create(params: CompletionCreateParams, options?: RequestOptions): Promise<Completion | CompletionStream>;
  };
  chat: { completions: { create(params: unknown, options?: RequestOptions): Promise<never> } };
  embeddings: { create(params: unknown, options?: RequestOptions): Promise<never> };
  models: { list(): Promise<ModelList>; retrieve(id: string): Promise<ModelObject> };
}

/**
 * A loaded model behind the calls of the `openai` package. Failures are `APIError`s with OpenAI's status codes and error
 * objects; an aborted call rejects with its signal's reason.
 */
export function openai(model: LanguageModel, options: OpenAIOptions = {}): OpenAIClient {
  checkOptions('openai', options, { id: isString });
  const { id = 'vitrine' } = options;
  const entry: ModelObject = { id, object: 'model', created: Math.floor(Date.now() / 1000), owned_by: 'vitrine' };
  const create = async (
    params: CompletionCreateParams,
    requestOptions: RequestOptions = {},
  ): Promise<Completion | CompletionStream> => {
    const signal = signalOf(requestOptions);
    const request = readCompletionParams(params, model);
    const name = request.label ?? id;
    if (!request.stream) return answer(model, name, request, signal ?? new AbortController().signal);
    const controller = new AbortController();
    const either = signal ? AbortSignal.any([signal, controller.signal]) : controller.signal;
    return begun(chunks(model, name, request, either), controller);
  };
  return {
    completions: { create: create as OpenAIClient['completions']['create'] },
    chat: { completions: { create: () => Promise.reject(invalid(noChat, 'messages', 'no_chat_template')) } },
    embeddings: { create: () => Promise.reject(invalid(noEncoder, 'model', 'no_encoder')) },
    models: {
      list: async () => ({ object: 'list', data: [entry], [Symbol.asyncIterator]: () => each([entry]) }),
      async retrieve(wanted) {
        if (wanted === id) return entry;
        throw invalid(`The model '${wanted}' does not exist; there is '${id}'.`, 'model', 'model_not_found', 404);
      },
    },
  };
}

async function* each<T>(items: T[]): AsyncGenerator<T> {
  yield* items;
}

function signalOf(options: RequestOptions): AbortSignal | undefined {
  const unknown = Object.keys(options).find((name) => name !== 'signal');
  if (unknown) throw invalid(`Unknown request option: '${unknown}'. Known is signal.`, unknown, 'unknown_parameter');
  return options.signal ?? undefined;
}

/** A stream whose first chunk is there, so that a request that cannot be met fails before there is a stream. */
async function begun(from: AsyncGenerator<Completion>, controller: AbortController): Promise<CompletionStream> {
  const first = await from.next();
  async function* all() {
    try {
      if (!first.done) yield first.value;
      yield* from;
    } catch (error) {
      if (!controller.signal.aborted) throw error; // who ends a stream by its controller wants no error
    } finally {
      await from.return(undefined);
    }
  }
  const stream = all();
  return { controller, [Symbol.asyncIterator]: () => stream };
}

const noChat = 'This model has no chat template: it continues texts. Use completions.create with a prompt.';
const noEncoder = 'This model writes text and has no embeddings to give; they come from an encoder.';
