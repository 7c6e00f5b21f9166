import type { Completion, GenerateOptions, LanguageModel, Token } from '../../index.ts';

/**
 * Continues a text. Stopped before its first token it rejects with the signal's reason; later it returns the completion as
 * far as it came.
 */
export async function continueText(
  model: LanguageModel,
  text: string,
  options: GenerateOptions,
  signal: AbortSignal,
  onToken: (token: Token) => void,
): Promise<Completion> {
  // Words begin with their space: after one that stands there already the model would find no word.
  const prompt = text.replace(/ +$/, '');
  const begun = new AbortController();
  let count = 0;
  const onAbort = () => count === 0 && begun.abort(signal.reason);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  const tokens = model.generate(prompt, { ...options, signal: begun.signal });
  try {
    for (let next = await tokens.next(); ; next = await tokens.next()) {
      if (next.done) return next.value;
      const first = count++ === 0 && prompt !== text;
      onToken(first ? { ...next.value, text: next.value.text.replace(/^ /, '') } : next.value);
      // A generator that is left gives what it has.
      if (signal.aborted) return (await tokens.return(undefined as never)).value as Completion;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
