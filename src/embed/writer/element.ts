import type { Completion, GenerateOptions, LanguageModel, LoadOptions, Progress, Token } from '../../index.ts';
import { badOption } from '../../plan/error.ts';
import { append, edit, type Manuscript, textOf, written } from '../manuscript.ts';
import type { SharedOptions } from '../shared-model.ts';
import { continueText } from './continue.ts';
import { FormField } from './form.ts';
import { HeldModel, percentOf, quarter, stopped } from './held-model.ts';
import { codeOf, english, type WriterStrings } from './strings.ts';
import { WriterView } from './view.ts';

/** What the element's events tell in `detail`; all bubble, and leave the shadow trees that they come from. */
export interface WriterEvents {
  'vitrine-progress': CustomEvent<Progress>;
  'vitrine-ready': CustomEvent<LanguageModel>;
  'vitrine-token': CustomEvent<Token>;
  'vitrine-completion': CustomEvent<Completion>;
  'vitrine-error': CustomEvent<unknown>;
}

export type WriterStatus = 'idle' | 'loading' | 'ready' | 'writing' | 'error';

/**
 * `<vitrine-writer src="...">`: a text that a model continues. It is a form's field; the model is fetched when it is asked to
 * write (see `loading`), into a worker, and shared by all writers of a page with the same settings.
 */
export class VitrineWriter extends FormField {
  readonly #view = new WriterView(this.attachShadow({ mode: 'open', delegatesFocus: true }));
  readonly #held = new HeldModel(() => this.#modelChanged());
  #manuscript: Manuscript = [];
  /** The text is the user's or the page's, no more the `value` attribute's. */
  #touched = false;
  #strings = english;
  #options: SharedOptions = {};
  /** A model that the page gave. */
  #given: LanguageModel | undefined;
  #work: { abort: AbortController; done: Promise<Completion> } | undefined;
  /** What a text could not be continued for. */
  #error: unknown;
  /** What the status says when nothing goes on. */
  #note = '';
  /** The text before the last continuation, and as it was after it. */
  #undo: { before: Manuscript; text: string } | undefined;
  #sight: IntersectionObserver | undefined;
  #scheduled = false;

  constructor() {
    super();
    const { root, text, go, undo, retry } = this.#view;
    text.addEventListener('input', () => this.#typed());
    text.addEventListener('change', () => this.dispatchEvent(new Event('change', { bubbles: true })));
    go.addEventListener('click', () => this.#toggle());
    undo.addEventListener('click', () => this.undo());
    retry.addEventListener('click', () => this.#retry());
    root.addEventListener('keydown', (event) => this.#onKey(event as KeyboardEvent));
    root.addEventListener('slotchange', () => this.#draw());
    root.addEventListener('focusin', () => this.#draw()); // its label may have come after it
  }

  /** The whole text, whoever wrote it. Setting it stops what is written. */
  get value(): string {
    return textOf(this.#manuscript);
  }

  set value(text: string) {
    this.stop();
    this.#manuscript = written(String(text));
    this.#touched = true;
    this.#draw();
  }

  /** The model that writes, once it is loaded. Set it to a model of the page's own, which is used in place of `src`. */
  get model(): LanguageModel | undefined {
    return this.#given ?? this.#held.state.model;
  }

  set model(model: LanguageModel | null | undefined) {
    this.stop();
    this.#given = model ?? undefined;
    this.#reload();
  }

  /** Further options of the load: `token`, `cache`, `worker: false`, ... An attribute comes before its option. */
  get options(): SharedOptions {
    return this.#options;
  }

  set options(options: SharedOptions) {
    this.#options = { ...options };
    this.#reload();
  }

  /** What the element says; what is not given stays English. */
  get strings(): Partial<WriterStrings> {
    return this.#strings;
  }

  set strings(strings: Partial<WriterStrings>) {
    this.#strings = Object.create(english, Object.getOwnPropertyDescriptors(strings)) as WriterStrings;
    this.#draw();
  }

  get status(): WriterStatus {
    if (this.error !== undefined) return 'error';
    if (this.#busy) return this.model ? 'writing' : 'loading';
    return this.#given ? 'ready' : this.#held.state.status;
  }

  /** Why it failed, if it did. */
  get error(): unknown {
    return this.#error ?? (this.#given ? undefined : this.#held.state.error);
  }

  /** Fetches the model now. @throws what `load` throws; an AbortError when it was stopped */
  async load(): Promise<LanguageModel> {
    if (this.#given) return this.#given;
    if (this.src) return this.#held.hold(this.src, this.#loadOptions());
    const hint = 'Name a model in it, or set the model property.';
    throw badOption(`<${this.localName}> has no src.`, hint);
  }

  /**
   * Lets the model continue the text; called again before it is done, the same promise. The text of a completion that was
   * stopped stays.
   * @throws what `load` and `generate` throw; an AbortError when it was stopped before the first token
   */
  write(): Promise<Completion> {
    const before = this.#work;
    if (before && this.#busy) return before.done;
    this.#error = undefined;
    this.#note = '';
    const abort = new AbortController();
    // What was stopped may still be at its last token.
    const ended = Promise.resolve(before?.done).catch(() => {});
    const done = ended
      .then(() => this.#write(abort.signal))
      .finally(() => {
        if (this.#work?.abort === abort) this.#work = undefined;
        this.#draw();
      });
    done.catch(() => {}); // it is shown, whether or not the caller hears of it
    this.#work = { abort, done };
    this.#draw();
    return done;
  }

  /** Ends what is going on: the load, if it waits for that, or the writing. */
  stop(): void {
    if (!this.#busy) return;
    const loading = this.status === 'loading';
    this.#work!.abort.abort(stopped());
    if (loading) this.#held.release();
    this.#draw();
  }

  /** Takes the last continuation back, if the text was not changed since. */
  undo(): void {
    if (!this.#canUndo) return;
    this.#manuscript = this.#undo!.before;
    this.#undo = undefined;
    this.#note = this.#strings.undone;
    this.#view.text.focus();
    this.#tellChange();
    this.#draw();
    this.#view.say(this.#note);
  }

  connectedCallback(): void {
    this.upgrade('value', 'model', 'options', 'strings');
    this.#view.adopt();
    this.#schedule();
    this.#draw();
  }

  /** Moved within the page: nothing ends. */
  connectedMoveCallback(): void {}

  disconnectedCallback(): void {
    // Moved the old way it is away for a moment only.
    setTimeout(() => {
      if (this.isConnected) return;
      this.stop();
      this.#sight?.disconnect();
      this.#sight = undefined;
      this.#held.release();
    });
  }

  adoptedCallback(): void {
    this.#view.adopt();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === 'value' && !this.#touched) this.#manuscript = written(this.defaultValue);
    if (['src', 'device', 'dtype', 'revision'].includes(name)) this.#reload();
    if (name === 'loading') this.#schedule();
    this.#draw();
  }

  formDisabledCallback(disabled: boolean): void {
    this.fieldsetDisabled = disabled;
    this.#draw();
  }

  override formResetCallback(): void {
    super.formResetCallback();
    this.#touched = false;
  }

  async #write(signal: AbortSignal): Promise<Completion> {
    const { stopped: stoppedNote, writing, added, done } = this.#strings;
    try {
      signal.throwIfAborted();
      const model = await this.load();
      signal.throwIfAborted();
      this.#view.say(writing);
      const before = this.#manuscript;
      let drawn = before;
      const completion = await continueText(model, this.value, this.#generateOptions(), signal, (token) => {
        if (this.#manuscript !== drawn) return; // the page has set another text meanwhile
        drawn = this.#manuscript = append(drawn, token);
        this.#undo = { before, text: this.value };
        this.#touched = true;
        this.#tell('vitrine-token', token);
        this.dispatchEvent(new InputEvent('input', { bubbles: true, composed: true, data: token.text }));
        this.#draw();
      });
      const { usage, timing, finishReason, text } = completion;
      this.#note = finishReason === 'abort' ? stoppedNote : done(usage.completion, timing.tokensPerSecond);
      this.#view.say(`${finishReason === 'abort' ? stoppedNote : ''} ${added(text)}`.trim());
      this.#tell('vitrine-completion', completion);
      this.dispatchEvent(new Event('change', { bubbles: true }));
      return completion;
    } catch (error) {
      if (signal.aborted) this.#view.say((this.#note = stoppedNote));
      else if (error !== this.#held.state.error) this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#error = error;
    this.#tell('vitrine-error', error);
  }

  #loadOptions(): SharedOptions {
    const { device, dtype, revision } = this;
    const given = Object.entries({ device, dtype, revision }).filter(([, value]) => value !== null);
    return { ...this.#options, ...(Object.fromEntries(given) as Pick<LoadOptions, 'device' | 'dtype' | 'revision'>) };
  }

  #generateOptions(): GenerateOptions {
    const { maxTokens, temperature, topK, topP, repetitionPenalty, seed, stopAt } = this;
    return {
      maxNewTokens: maxTokens,
      temperature,
      topK: topK ?? undefined,
      topP,
      repetitionPenalty: repetitionPenalty ?? undefined,
      seed: seed ?? undefined,
      stop: stopAt || undefined,
      onContextFull: 'slide',
    };
  }

  /** Another model is asked for: the one before is let go of, and the new one fetched when `loading` says so. */
  #reload(): void {
    this.stop();
    this.#error = undefined;
    this.#note = '';
    this.#held.release();
    this.#schedule();
    this.#draw();
  }

  /** Fetches as soon as `loading` says; a task's worth of attributes is one change. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#sight?.disconnect();
      this.#sight = undefined;
      const wanted = this.isConnected && this.src && !this.#given && this.#held.state.status === 'idle';
      if (!wanted || this.loading === 'ask') return;
      const fetchNow = () => void this.load().catch(() => {}); // shown by its state
      if (this.loading === 'eager') return fetchNow();
      this.#sight = new IntersectionObserver((entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        this.#sight?.disconnect();
        fetchNow();
      });
      this.#sight.observe(this);
    });
  }

  #modelChanged(): void {
    const { status, progress, model, error } = this.#held.state;
    const { loading, ready } = this.#strings;
    if (progress) this.#tell('vitrine-progress', progress);
    if (status === 'loading') this.#view.say(loading(quarter(percentOf(progress))));
    if (model) {
      this.#tell('vitrine-ready', model);
      if (!this.#busy) this.#view.say(ready);
    }
    if (status === 'error') this.#tell('vitrine-error', error);
    this.#draw();
  }

  /** Whether there is something to stop. */
  get #busy(): boolean {
    return this.#work?.abort.signal.aborted === false;
  }

  #toggle(): void {
    if (this.#busy) this.stop();
    else void this.write();
  }

  #retry(): void {
    this.#view.go.focus(); // the button that was pressed goes
    void this.write();
  }

  #typed(): void {
    this.#manuscript = edit(this.#manuscript, this.#view.text.value);
    this.#touched = true;
    this.#note = '';
    this.#draw();
  }

  #tellChange(): void {
    this.dispatchEvent(new InputEvent('input', { bubbles: true, composed: true }));
    this.dispatchEvent(new Event('change', { bubbles: true }));
  }

  #tell(name: keyof WriterEvents, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  #onKey(event: KeyboardEvent): void {
    const enter = event.key === 'Enter' && (event.ctrlKey || event.metaKey) && !event.isComposing;
    const stops = event.key === 'Escape' && this.#busy;
    if (!enter && !stops) return;
    event.preventDefault();
    event.stopPropagation(); // Escape would close a dialog around it too
    if (stops) this.stop();
    else if (!this.#view.go.disabled) this.#toggle();
  }

  get #canUndo(): boolean {
    return this.#undo !== undefined && !this.#busy && this.value === this.#undo.text;
  }

  #draw(): void {
    const { text } = this.#view;
    const strings = this.#strings;
    const writing = this.status === 'writing';
    const loading = this.status === 'loading';
    const failure = this.error;
    const disabled = this.disabled || this.fieldsetDisabled;
    const percent = percentOf(this.#held.state.progress);
    text.disabled = this.#view.go.disabled = disabled;
    text.readOnly = this.readOnly || writing;
    text.required = this.required;
    text.placeholder = this.placeholder;
    this.#view.draw(this.#manuscript, writing);
    this.#view.name(this.label, this.ariaLabel || labelsOf(this.labels) || strings.text);
    this.#view.show({
      busy: this.#busy,
      writing,
      status: loading ? strings.loading(percent) : writing ? strings.writing : this.#note,
      shortcut: strings.shortcut,
      percent,
      loading,
      error: failure === undefined ? undefined : { what: strings.failed(codeOf(failure)), details: messageOf(failure) },
      canUndo: this.#canUndo,
      labels: {
        go: this.#busy ? strings.stop : strings.continue,
        undo: strings.undo,
        retry: strings.retry,
        progress: strings.loading(undefined),
      },
    });
    this.tellForm(text, strings.required);
    this.tellState(this.status);
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

const labelsOf = (labels: NodeList) => Array.from(labels, (label) => label.textContent?.trim()).join(' ');
