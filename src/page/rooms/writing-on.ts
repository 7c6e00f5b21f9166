import { useEffect, useState } from 'preact/hooks';
import type { WorkerEncoderDecoder } from '../../embed/client.ts';
import type { Completion } from '../../index.ts';

/** A text that is being written from another, or has been. */
export interface Writing {
  text: string;
  running: boolean;
  completion?: Completion;
  failure?: unknown;
  stop: () => void;
}

const nothing: Writing = { text: '', running: false, stop: () => {} };

/** Writes what follows from a source; another source, or none, ends what is under way. */
export function useWriting(model: WorkerEncoderDecoder, source: string | undefined): Writing {
  const [writing, setWriting] = useState<Writing>(nothing);
  useEffect(() => {
    if (!source?.trim()) return setWriting(nothing);
    const left = new AbortController();
    const stopped = new AbortController();
    const tell = (change: Partial<Writing>) => left.signal.aborted || setWriting((last) => ({ ...last, ...change }));
    setWriting({ text: '', running: true, stop: () => stopped.abort() });
    write(model, source, AbortSignal.any([left.signal, stopped.signal]), (text) => tell({ text })).then(
      (completion) => tell({ completion, text: completion.text, running: false }),
      (failure: unknown) => tell({ running: false, ...(!stopped.signal.aborted && { failure }) }),
    );
    return () => left.abort();
  }, [model, source]);
  return writing;
}

async function write(
  model: WorkerEncoderDecoder,
  source: string,
  signal: AbortSignal,
  onText: (text: string) => void,
): Promise<Completion> {
  const tokens = model.generate(source, { signal });
  let text = '';
  for (;;) {
    const next = await tokens.next();
    if (next.done) return next.value;
    text += next.value.text;
    onText(text);
  }
}
