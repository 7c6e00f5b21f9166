import type { LanguageModel } from '../../index.ts';
import { type OpenAIClient, type OpenAIOptions, openai } from './client.ts';
import { randomId } from './completions.ts';
import { apiError, invalid } from './error.ts';
import type { CompletionCreateParams, CompletionStream } from './types.ts';

/** As the `openai` package takes one. */
export type OpenAIFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** A request of the REST API: which method, where, and what answers it. */
type Route = [method: 'GET' | 'POST', path: RegExp, answer: AnswerTo];
type AnswerTo = (client: OpenAIClient, match: RegExpMatchArray, body: unknown, signal: AbortSignal) => Promise<unknown>;

/** The longer paths first: `/completions` ends two of them. */
const routes: Route[] = [
  ['POST', /\/chat\/completions$/, (client, _, body, signal) => client.chat.completions.create(body, { signal })],
  [
    'POST',
    /\/completions$/,
    (client, _, body, signal) => client.completions.create(body as CompletionCreateParams, { signal }),
  ],
  ['POST', /\/embeddings$/, (client, _, body, signal) => client.embeddings.create(body, { signal })],
  ['GET', /\/models$/, (client) => client.models.list()],
  ['GET', /\/models\/([^/]+)$/, (client, [, id = '']) => client.models.retrieve(decodeURIComponent(id))],
];

/**
 * A `fetch` that answers as OpenAI's API does, from a loaded model; nothing goes to the network.
 *
 *     const client = new OpenAI({ apiKey: 'none', baseURL: 'http://vitrine.invalid/v1', fetch: openaiFetch(model) });
 *
 * Failures are responses with OpenAI's status codes and error objects; an aborted request rejects with its signal's reason.
 */
export function openaiFetch(model: LanguageModel, options: OpenAIOptions = {}): OpenAIFetch {
  const client = openai(model, options);
  return async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    try {
      const answer = await respond(client, request);
      return isStream(answer) ? eventStream(answer, request.signal) : json(answer, 200);
    } catch (error) {
      if (request.signal.aborted) throw request.signal.reason;
      const { status, error: object } = apiError(error);
      return json({ error: object }, status);
    }
  };
}

async function respond(client: OpenAIClient, request: Request): Promise<unknown> {
  const { pathname } = new URL(request.url);
  const there = routes.filter(([, path]) => path.test(pathname)).slice(0, 1);
  const route = there.find(([method]) => method === request.method);
  if (!route) {
    const known = 'There are POST /completions, GET /models and GET /models/{id}.';
    const status = there.length > 0 ? 405 : 404;
    throw invalid(`Invalid URL (${request.method} ${pathname}). ${known}`, null, 'unknown_url', status);
  }
  const [method, path, answer] = route;
  const body = method === 'POST' ? parsed(await request.text()) : undefined;
  return answer(client, pathname.match(path)!, body, request.signal);
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (error) {
    throw invalid(`The request's body is no JSON: ${(error as Error).message}.`, null, 'invalid_json');
  }
}

function json(value: unknown, status: number): Response {
  // The client retries a server's failures; this one would only fail again.
  const retry: Record<string, string> = status >= 400 ? { 'x-should-retry': 'false' } : {};
  const headers = { 'content-type': 'application/json', 'x-request-id': randomId('req'), ...retry };
  return new Response(JSON.stringify(value), { status, headers });
}

function isStream(answer: unknown): answer is CompletionStream {
  return typeof answer === 'object' && answer !== null && 'controller' in answer;
}

/** Chunks as server-sent events, generated as they are read; a failure on the way is the last of them. */
function eventStream(stream: CompletionStream, signal: AbortSignal): Response {
  const chunks = stream[Symbol.asyncIterator]();
  const utf8 = new TextEncoder();
  const event = (data: unknown) => utf8.encode(`data: ${JSON.stringify(data)}\n\n`);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await chunks.next();
        controller.enqueue(done ? utf8.encode('data: [DONE]\n\n') : event(value));
        if (done) controller.close();
      } catch (error) {
        if (signal.aborted) return controller.error(error);
        controller.enqueue(event({ error: apiError(error).error }));
        controller.close();
      }
    },
    async cancel() {
      stream.controller.abort();
      await chunks.return?.();
    },
  });
  const headers = {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'x-request-id': randomId('req'),
  };
  return new Response(body, { headers });
}
