/**
 * Code written for OpenAI's API, on a loaded model.
 * @module vitrine/openai
 */
export { type ModelList, type OpenAIClient, type OpenAIOptions, openai } from './openai/client.ts';
export { APIError } from './openai/error.ts';
export { type OpenAIFetch, openaiFetch } from './openai/fetch.ts';
export type * from './openai/types.ts';
