import { useState } from 'react';
import { useModel } from 'vitrine/react';

const source = new URLSearchParams(location.search).get('model') ?? 'openai-community/gpt2';

export function App() {
  const { status, model, progress, error, retry } = useModel(source);
  const [text, setText] = useState('Once upon a time');

  async function write() {
    for await (const token of model.generate(text, { maxNewTokens: 12 })) setText((before) => before + token.text);
  }

  if (status === 'error')
    return (
      <button type="button" onClick={retry}>
        Try again: {error.message}
      </button>
    );
  if (status !== 'ready') return <progress value={progress?.loaded} max={progress?.total} />;
  return (
    <main>
      <p>{text}</p>
      <button type="button" onClick={write}>
        Continue
      </button>
    </main>
  );
}
