'use client';

import { streamText } from 'ai';
import { useEffect, useState } from 'react';
import { vitrine } from 'vitrine/ai-sdk';
import { useModel } from 'vitrine/react';

export function Writer() {
  const [source, setSource] = useState(null); // nothing is loaded before it is asked to write
  const [text, setText] = useState('Once upon a time');
  const { status, model, progress, error, retry } = useModel(source);

  useEffect(() => {
    if (!model) return;
    const abort = new AbortController();
    const { textStream } = streamText({
      model: vitrine(model),
      prompt: 'Once upon a time',
      maxOutputTokens: 32,
      abortSignal: abort.signal,
    });
    (async () => {
      for await (const piece of textStream) setText((before) => before + piece);
    })();
    return () => abort.abort();
  }, [model]);

  const load = () => setSource(new URLSearchParams(location.search).get('model') ?? 'openai-community/gpt2');
  return (
    <>
      <p>{text}</p>
      {status === 'idle' && (
        <button type="button" onClick={load}>
          Continue
        </button>
      )}
      {status === 'loading' && <progress value={progress?.loaded} max={progress?.total} />}
      {status === 'error' && (
        <button type="button" onClick={retry}>
          Try again: {error.message}
        </button>
      )}
    </>
  );
}
