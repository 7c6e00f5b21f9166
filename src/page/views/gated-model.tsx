import { useState } from 'preact/hooks';
import { words } from '../rooms/words/models.ts';

/** The way to a model whose licence is to be accepted on the hub; the token goes into the request and nowhere else. */
export function GatedModel({ id, onToken }: { id: string; onToken: (token: string) => void }) {
  const [token, setToken] = useState('');
  return (
    <form
      class="gated"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <p>
        <a href={`https://huggingface.co/${id}`} target="_blank" rel="noreferrer">
          {words.licence}
        </a>{' '}
        {words.gatedAbout}
      </p>
      <div class="find">
        <label class="unseen" for="hub-token">
          {words.token}
        </label>
        <input
          id="hub-token"
          type="password"
          value={token}
          placeholder={words.token}
          autocomplete="off"
          spellcheck={false}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="plain" disabled={!token.trim()}>
          {words.tryToken}
        </button>
      </div>
    </form>
  );
}
