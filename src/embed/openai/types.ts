/**
 * The shapes of OpenAI's REST API, as the `openai` package types them; these are declared here so that it need not be
 * installed. The tests hold each against that package's own.
 */

/** A request to `completions.create`; null is the same as absent. */
export interface CompletionCreateParams {
  /** A label that comes back in the answer: the loaded model answers, whatever it says. */
  model?: string | null;
  /** Texts or lists of token ids; without one a text begins as the model begins texts. */
  prompt?: string | string[] | number[] | number[][] | null;
  /** Candidates, of which the `n` likeliest per token are returned; from n to 20. */
  best_of?: number | null;
  /** The answer begins with the prompt; with `logprobs`, also its tokens. */
  echo?: boolean | null;
  frequency_penalty?: number | null;
  logit_bias?: Record<string, number> | null;
  /** How many of the most likely tokens to report with each token, 0 to 5. */
  logprobs?: number | null;
  /** 16 by default. 0 with `echo` scores the prompt alone. */
  max_tokens?: number | null;
  /** Texts for each prompt, 1 by default. */
  n?: number | null;
  presence_penalty?: number | null;
  seed?: number | null;
  stop?: string | string[] | null;
  stream?: boolean | null;
  stream_options?: { include_usage?: boolean; include_obfuscation?: boolean } | null;
  /** Refused: a decoder only continues a text. */
  suffix?: string | null;
  /** 1 by default, the model's own distribution. */
  temperature?: number | null;
  top_p?: number | null;
  /** Whom a request is for. Nothing leaves the machine, so it says nothing to anyone. */
  user?: string | null;
}

export interface CompletionCreateParamsStreaming extends CompletionCreateParams {
  stream: true;
}

export interface CompletionCreateParamsNonStreaming extends CompletionCreateParams {
  stream?: false | null;
}

export interface Logprobs {
  /** Where each token begins in the choice's `text`, in UTF-16 units as JavaScript counts. */
  text_offset: number[];
  /** In nats. The first token of an echoed prompt has null here, as OpenAI's API answers. */
  token_logprobs: number[];
  /** A token that is no whole characters reads `bytes:\xe2\x80`. */
  tokens: string[];
  /** The token itself and the likeliest ones; null for the first token of an echoed prompt. */
  top_logprobs: Record<string, number>[];
}

export interface CompletionChoice {
  finish_reason: 'stop' | 'length' | 'content_filter';
  index: number;
  logprobs: Logprobs | null;
  text: string;
}

export interface CompletionUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** `cached_tokens`: of the prompts' beginnings, what needed no computing. */
  prompt_tokens_details: { cached_tokens: number };
}

/** The answer of `completions.create`, and each chunk of a stream. */
export interface Completion {
  id: string;
  object: 'text_completion';
  /** Seconds since 1970. */
  created: number;
  model: string;
  /** What the model runs on: the same fingerprint, seed and request give the same text. */
  system_fingerprint: string;
  choices: CompletionChoice[];
  usage?: CompletionUsage;
}

export interface ModelObject {
  id: string;
  object: 'model';
  created: number;
  owned_by: string;
}

/** What went wrong, as OpenAI's API says it. */
export interface ErrorObject {
  message: string;
  type: 'invalid_request_error' | 'server_error';
  /** The request's field that is at fault. */
  param: string | null;
  code: string | null;
}

export interface RequestOptions {
  signal?: AbortSignal | null;
}

/** Chunks as they come; leaving the loop, or `controller.abort()`, ends the work. */
export interface CompletionStream extends AsyncIterable<Completion> {
  readonly controller: AbortController;
}
