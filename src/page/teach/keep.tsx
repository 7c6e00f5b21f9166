import { useEffect, useMemo, useState } from 'preact/hooks';
import { type Adapter, loadAdapter } from '../../learn/index.ts';
import { messageOf } from '../failure.ts';
import { cachedModels, opened } from '../models.ts';
import { nameOf } from '../sources.ts';
import { bytes } from '../strings.ts';
import { chosen, type Pupil, put } from './adapter-on.ts';
import { forget, isLearning } from './course.ts';
import { words } from './words.ts';

/** Whether what was learnt is on, its files, and a place in the browser's storage. */
export function Keep({ model, adapter }: { model: Pupil; adapter: Adapter }) {
  const isOn = chosen.value?.model === model && chosen.value.adapter === adapter;
  const files = useMemo(() => Object.entries(adapter.files()), [adapter]);
  const links = useLinks(files);
  const [name, setName] = useState(words.saveName(nameOf(opened.value!.ref)));
  const [said, setSaid] = useState<string | undefined>(undefined);
  const save = () =>
    adapter.save(name.trim()).then(
      () => {
        setSaid(words.saved(name.trim()));
        savedAgain();
      },
      (error: unknown) => setSaid(words.notSaved(messageOf(error))),
    );
  return (
    <section class="keep" aria-labelledby="keep-title">
      <h3 id="keep-title">{words.keep}</h3>
      <label class="on">
        <input type="checkbox" checked={isOn} onChange={() => void put(model, isOn ? null : adapter)} />
        <span>{words.on}</span> <span class="summary">{words.onMeaning}</span>
      </label>
      <p class="summary">{'adapter_config.json' in adapter.files() ? words.keepLead : words.headLead}</p>
      <ul class="files">
        {files.map(([file, content], i) => (
          <li key={file}>
            <a href={links[i]} download={file} aria-label={words.download(file)}>
              {file}
            </a>{' '}
            <span class="summary">{bytes(content.length)}</span>
          </li>
        ))}
      </ul>
      <form
        class="save"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <input
          type="text"
          aria-label={words.saveAs}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
        <button type="submit" class="plain" disabled={!name.trim()}>
          {words.save}
        </button>
      </form>
      <p role="status">{said}</p>
    </section>
  );
}

/** Addresses of files' bytes, given back when they are not shown any more. */
function useLinks(files: readonly (readonly [string, Uint8Array<ArrayBuffer>])[]): readonly string[] {
  const [links, setLinks] = useState<readonly string[]>([]);
  useEffect(() => {
    const made = files.map(([, content]) => URL.createObjectURL(new Blob([content])));
    setLinks(made);
    return () => {
      for (const link of made) URL.revokeObjectURL(link);
    };
  }, [files]);
  return links;
}

const listeners = new Set<() => void>();
function savedAgain(): void {
  for (const listener of listeners) listener();
}

/** Adapters of before: kept in this browser, or files. */
export function PutOn({ model }: { model: Pupil }) {
  const [names, setNames] = useState<readonly string[]>([]);
  const [said, setSaid] = useState<{ text: string; isWrong: boolean } | undefined>(undefined);
  useEffect(() => {
    const refresh = () =>
      void cachedModels.list().then(
        (all) => setNames(all.filter(({ isAdapter }) => isAdapter).map(({ name }) => name)),
        () => setNames([]), // storage that is closed holds none
      );
    refresh();
    listeners.add(refresh);
    return () => listeners.delete(refresh);
  }, []);
  const take = (source: Parameters<typeof loadAdapter>[0], name: string) =>
    loadAdapter(source)
      .then(async (adapter) => {
        await put(model, adapter);
        forget();
        setSaid({ text: words.loaded(name), isWrong: false });
      })
      .catch((error: unknown) => setSaid({ text: words.notLoaded(messageOf(error)), isWrong: true }));
  return (
    <section class="put-on" aria-labelledby="put-on-title">
      <h3 id="put-on-title">{words.loadTitle}</h3>
      <div class="actions">
        {names.map((name) => (
          <button
            type="button"
            class="chip"
            key={name}
            disabled={isLearning.value}
            onClick={() => void take({ saved: name }, name)}
          >
            {name}
          </button>
        ))}
        <label class="plain choose" data-disabled={isLearning.value}>
          {words.loadFiles}
          <input
            type="file"
            multiple
            disabled={isLearning.value}
            onChange={(event) => {
              const files = [...(event.currentTarget.files ?? [])];
              if (files.length) void take(files, files.map(({ name }) => name).join(', '));
              event.currentTarget.value = '';
            }}
          />
        </label>
      </div>
      <p role="status" class={said?.isWrong ? 'wrong' : ''}>
        {said?.text}
      </p>
    </section>
  );
}
