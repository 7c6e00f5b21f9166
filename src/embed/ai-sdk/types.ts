/**
 * What the AI SDK asks of a language model (specification v4 of `@ai-sdk/provider`), as far as text goes; declared here so
 * that the package need not be installed. A test holds it against that package's own types.
 */

export interface MessagePart {
  type: string;
  text?: string;
}

export type Message =
  | { role: 'system'; content: string }
  | { role: 'user' | 'assistant' | 'tool'; content: readonly MessagePart[] };

export interface CallOptions {
  prompt: readonly Message[];
  maxOutputTokens?: number;
  temperature?: number;
  stopSequences?: readonly string[];
  topP?: number;
  topK?: number;
  presencePenalty?: number;
  frequencyPenalty?: number;
  seed?: number;
  responseFormat?: { type: 'text' | 'json' };
  tools?: readonly unknown[];
  toolChoice?: { type: string };
  includeRawChunks?: boolean;
  abortSignal?: AbortSignal;
  /** Of a request over HTTP, which there is none. */
  headers?: Record<string, string | undefined>;
  reasoning?: string;
  /** `vitrine`: generation options of the engine's own, as `model.generate` takes them. */
  providerOptions?: Record<string, Record<string, unknown>>;
}

export type Warning = { type: 'unsupported' | 'compatibility'; feature: string; details?: string };

export interface FinishReason {
  unified: 'stop' | 'length' | 'other';
  /** The engine's own: `stop`, `eos`, `length`, `context`. */
  raw: string;
}

export interface Usage {
  inputTokens: { total: number; noCache: number; cacheRead: number; cacheWrite: undefined };
  outputTokens: { total: number; text: number; reasoning: undefined };
}

/** `vitrine`: the seed that gives the same text again, and how fast it came. */
export type ProviderMetadata = { vitrine: { seed: number; tokensPerSecond: number } };

export interface ResponseMetadata {
  id: string;
  timestamp: Date;
  modelId: string;
}

export interface GenerateResult {
  content: { type: 'text'; text: string }[];
  finishReason: FinishReason;
  usage: Usage;
  providerMetadata: ProviderMetadata;
  response: ResponseMetadata;
  warnings: Warning[];
}

export type StreamPart =
  | { type: 'stream-start'; warnings: Warning[] }
  | ({ type: 'response-metadata' } & ResponseMetadata)
  | { type: 'text-start' | 'text-end'; id: string }
  | { type: 'text-delta'; id: string; delta: string }
  | { type: 'raw'; rawValue: unknown }
  | { type: 'error'; error: unknown }
  | { type: 'finish'; usage: Usage; finishReason: FinishReason; providerMetadata: ProviderMetadata };

/** A language model of the AI SDK's, for `generateText`, `streamText` and whatever else takes one. */
export interface LanguageModelV4 {
  readonly specificationVersion: 'v4';
  readonly provider: string;
  readonly modelId: string;
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(options: CallOptions): Promise<GenerateResult>;
  doStream(options: CallOptions): Promise<{ stream: ReadableStream<StreamPart> }>;
}
