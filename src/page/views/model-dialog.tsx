import { useEffect, useRef, useState } from 'preact/hooks';
import { explain, type Failure, missing } from '../failure.ts';
import { askedModel } from '../link.ts';
import { device, runOn, show, shown } from '../models.ts';
import { type Device, devices } from '../permalink.ts';
import { downloadSize, embedded, linkOf, type ModelRef, nameOf, parseModelRef } from '../sources.ts';
import { strings } from '../strings.ts';
import { CachedModels } from './cached-models.tsx';
import { Close } from './icons.tsx';

interface Props {
  /** Looked up at once. */
  asked?: ModelRef;
  onClose: () => void;
}

/** The choice of models. Nothing is downloaded before its size was shown and agreed to. */
export function ModelDialog({ asked, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const choose = (ref: ModelRef) => {
    askedModel.value = undefined;
    dialog.current?.close();
    void show(ref);
  };
  return (
    <dialog ref={dialog} class="models" onClose={onClose} aria-labelledby="dialog-title">
      <div class="title">
        <h2 id="dialog-title">{strings.dialogTitle}</h2>
        <button type="button" class="quiet" onClick={() => dialog.current?.close()} title={strings.close}>
          <Close />
          <span class="unseen">{strings.close}</span>
        </button>
      </div>
      <Hub asked={asked} onChoose={choose} />
      <CachedModels onChoose={choose} />
      <Files onChoose={choose} />
      <Embedded onChoose={choose} />
      <DeviceChoice />
    </dialog>
  );
}

type Found = { state: 'none' } | { state: 'asking' } | { state: 'found'; ref: ModelRef; size: number | undefined };

function Hub({ asked, onChoose }: { asked?: ModelRef; onChoose: (ref: ModelRef) => void }) {
  const [text, setText] = useState((asked && linkOf(asked)) ?? '');
  const [found, setFound] = useState<Found>({ state: 'none' });
  const [failed, setFailed] = useState<Failure | undefined>(undefined);
  const abort = useRef(new AbortController());

  const find = async (wanted: string) => {
    abort.current.abort();
    abort.current = new AbortController();
    const { signal } = abort.current;
    const ref = parseModelRef(wanted);
    setText(wanted);
    setFailed(ref ? undefined : missing({ kind: 'hub', id: wanted }));
    setFound({ state: ref ? 'asking' : 'none' });
    if (!ref) return;
    try {
      const size = await downloadSize(ref, signal);
      if (signal.aborted) return;
      if (size === 'missing') setFailed(missing(ref));
      setFound(size === 'missing' ? { state: 'none' } : { state: 'found', ref, size });
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
      <h3>{strings.hubTitle}</h3>
      <p>{strings.hubAbout}</p>
      <form
        class="find"
        onSubmit={(event) => {
          event.preventDefault();
          void find(text);
        }}
      >
        <label class="unseen" for="hub-id">
          {strings.hubField}
        </label>
        <input
          id="hub-id"
          type="text"
          value={text}
          onInput={(event) => {
            abort.current.abort(); // what was looked up before is not what stands here
            setText(event.currentTarget.value);
            setFound({ state: 'none' });
          }}
          placeholder={strings.hubField}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
        />
        <button type="submit" class="plain" disabled={!text.trim()}>
          {strings.check}
        </button>
      </form>
      <p class="suggestions">
        {strings.hubSuggestions.map(([id, name]) => (
          <button type="button" class="quiet" key={id} title={id} onClick={() => void find(id)}>
            {name}
          </button>
        ))}
      </p>
      <div aria-live="polite" class="found">
        {found.state === 'asking' && <p>{strings.checking}</p>}
        {found.state === 'found' && (
          <p>
            {strings.asks(nameOf(found.ref), found.size)}{' '}
            <button type="button" class="primary" onClick={() => onChoose(found.ref)}>
              {strings.download}
            </button>
          </p>
        )}
        {failed && (
          <p class="failed">
            {failed.what} {failed.advice}
          </p>
        )}
      </div>
    </section>
  );
}

function Files({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <section>
      <h3>{strings.filesTitle}</h3>
      <p>{strings.filesAbout}</p>
      <input
        ref={input}
        id="files"
        class="unseen"
        tabIndex={-1}
        type="file"
        multiple
        aria-label={strings.chooseFiles}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])];
          if (files.length) onChoose({ kind: 'files', files });
        }}
      />
      <button type="button" class="plain" onClick={() => input.current?.click()}>
        {strings.chooseFiles}
      </button>
    </section>
  );
}

function Embedded({ onChoose }: { onChoose: (ref: ModelRef) => void }) {
  if (shown.value?.ref.kind === 'embedded') return null;
  return (
    <section>
      <h3>{strings.embeddedName}</h3>
      <p>{strings.embeddedAbout}</p>
      <button type="button" class="plain" onClick={() => onChoose(embedded)}>
        {strings.useEmbedded}
      </button>
    </section>
  );
}

function DeviceChoice() {
  return (
    <section class="device-choice">
      <label for="device">{strings.device}</label>
      <select id="device" value={device.value} onChange={(event) => runOn(event.currentTarget.value as Device)}>
        {devices.map((name) => (
          <option value={name} key={name}>
            {strings.deviceNames[name]}
          </option>
        ))}
      </select>
      <a href="check.html">{strings.checkDevice}</a>
    </section>
  );
}
