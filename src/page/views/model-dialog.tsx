import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Inspection } from '../../index.ts';
import { explain, type Failure, missing } from '../failure.ts';
import { askedModel } from '../link.ts';
import { device, inspect, runOn, show } from '../models.ts';
import { type Device, devices } from '../permalink.ts';
import { does, words } from '../rooms/words/models.ts';
import { linkOf, type ModelRef, nameOf, parseModelRef } from '../sources.ts';
import { strings } from '../strings.ts';
import { AdapterChoice } from './adapter-choice.tsx';
import { CachedModels } from './cached-models.tsx';
import { Gallery } from './gallery.tsx';
import { GatedModel } from './gated-model.tsx';
import { Close } from './icons.tsx';
import { words as more } from './words.ts';

interface Props {
  /** Looked up at once. */
  asked?: ModelRef;
  onClose: () => void;
}

/** The choice of models. Nothing is downloaded before its size was shown and agreed to. */
export function ModelDialog({ asked, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const choose = (ref: ModelRef) => {
    askedModel.value = undefined;
    dialog.current?.close();
    void show(ref);
  };
  return (
    <dialog ref={dialog} class="models" onClose={onClose} aria-labelledby="dialog-title">
      <div class="title">
        <h2 id="dialog-title">{words.dialogTitle}</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()} title={more.close}>
          <Close />
          <span class="unseen">{more.close}</span>
        </button>
      </div>
      <Gallery onChoose={choose} />
      <Hub asked={asked} onChoose={choose} />
      <CachedModels onChoose={choose} />
      <Files onChoose={choose} />
      <AdapterChoice onChoose={choose} />
      <DeviceChoice />
    </dialog>
  );
}

type Found = { state: 'none' } | { state: 'asking' } | { state: 'found'; ref: ModelRef; what: Inspection };

function Hub({ asked, onChoose }: { asked?: ModelRef; onChoose: (ref: ModelRef) => void }) {
  const [text, setText] = useState((asked && linkOf(asked)) ?? '');
  const [found, setFound] = useState<Found>({ state: 'none' });
  const [failed, setFailed] = useState<Failure | undefined>(undefined);
  const abort = useRef(new AbortController());
  const answer = useRef<HTMLDivElement>(null);
  // The gallery above fills the dialog: what was asked for would be out of sight.
  useLayoutEffect(() => {
    if (found.state !== 'none' || failed) answer.current?.scrollIntoView({ block: 'nearest' });
  }, [found, failed]);

  /** Whatever was asked before is of no interest any more. */
  const leave = () => {
    abort.current.abort();
    abort.current = new AbortController();
    setFailed(undefined);
    setFound({ state: 'none' });
  };
  const find = async (wanted: string, token?: string) => {
    leave();
    setText(wanted);
    const { signal } = abort.current;
    const parsed = parseModelRef(wanted);
    if (!parsed) return setFailed(missing({ kind: 'hub', id: wanted }));
    const ref = parsed.kind === 'hub' && token ? { ...parsed, token } : parsed;
    setFound({ state: 'asking' });
    try {
      const what = await inspect(ref, signal);
      if (!signal.aborted) setFound({ state: 'found', ref, what });
    } catch (error) {
      if (signal.aborted) return;
      setFailed(explain(error, ref, 'load'));
      setFound({ state: 'none' });
    }
  };
  useEffect(() => {
    if (asked) void find(linkOf(asked) ?? '');
    return () => abort.current.abort();
  }, []);

  return (
    <section>
      <h3>{words.hubTitle}</h3>
      <p>{words.hubAbout}</p>
      <form
        class="find"
        onSubmit={(event) => {
          event.preventDefault();
          void find(text);
        }}
      >
        <label class="unseen" for="hub-id">
          {words.hubField}
        </label>
        <input
          id="hub-id"
          type="text"
          value={text}
          onInput={(event) => {
            leave();
            setText(event.currentTarget.value);
          }}
          placeholder={words.hubField}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
        />
        <button type="submit" class="plain" disabled={!text.trim()}>
          {words.check}
        </button>
      </form>
      <p class="suggestions">
        {words.hubSuggestions.map(([id, name]) => (
          <button type="button" class="quiet" key={id} title={id} onClick={() => void find(id)}>
            {name}
          </button>
        ))}
      </p>
      <div ref={answer} aria-live="polite" class="found">
        {found.state === 'asking' && <p>{words.checking}</p>}
        {found.state === 'found' && (
          <p>
            <span>
              {words.asks(nameOf(found.ref), found.what.bytes)}{' '}
              <span class="summary">{words.found(does(found.what), found.what.family, found.what.parameters)}</span>
            </span>
            <button type="button" class="primary" onClick={() => onChoose(found.ref)}>
              {words.download}
            </button>
          </p>
        )}
        {failed && <Failed failed={failed} />}
        {failed?.gated && <GatedModel id={failed.gated} onToken={(token) => void find(failed.gated!, token)} />}
      </div>
    </section>
  );
}

function Files({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <section>
      <h3>{words.filesTitle}</h3>
      <p>{words.filesAbout}</p>
      <input
        ref={input}
        id="files"
        class="unseen"
        tabIndex={-1}
        type="file"
        multiple
        aria-label={words.chooseFiles}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          if (files.length) onChoose({ kind: 'files', files });
        }}
      />
      <button type="button" class="plain" onClick={() => input.current?.click()}>
        {words.chooseFiles}
      </button>
    </section>
  );
}

function Failed({ failed: { what, advice, details } }: { failed: Failure }) {
  return (
    <div class="failed">
      {what} {advice}
      {details && (
        <details>
          <summary>{strings.details}</summary>
          {details}
        </details>
      )}
    </div>
  );
}

function DeviceChoice() {
  return (
    <section class="device-choice">
      <label for="device">{words.device}</label>
      <select id="device" value={device.value} onChange={(event) => runOn(event.currentTarget.value as Device)}>
        {devices.map((name) => (
          <option value={name} key={name}>
            {words.deviceNames[name]}
          </option>
        ))}
      </select>
      <a href="check.html">{more.checkDevice}</a>
    </section>
  );
}
