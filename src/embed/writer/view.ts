import { type Manuscript, stretches, textOf } from '../manuscript.ts';
import { styles } from './styles.ts';

/** What the element shows at a moment, beside its text. */
export interface Shown {
  /** The button stops what is going on, instead of beginning it. */
  busy: boolean;
  writing: boolean;
  /** Empty: the shortcut is shown, where there are keys. */
  status: string;
  shortcut: string;
  /** 0 to 100; undefined while it is not known. */
  percent: number | undefined;
  loading: boolean;
  error: { what: string; details: string } | undefined;
  canUndo: boolean;
  labels: { go: string; undo: string; retry: string; progress: string };
}

/** A page's policy may forbid styles and markup that are written inline, so sheets are constructed and elements made. */
const sheets = new WeakMap<Document, CSSStyleSheet>();

function sheetOf(document: Document): CSSStyleSheet {
  let sheet = sheets.get(document);
  if (!sheet) {
    sheet = new (document.defaultView ?? globalThis).CSSStyleSheet();
    sheet.replaceSync(styles);
    sheets.set(document, sheet);
  }
  return sheet;
}

function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const button = (name: string, part: string) => make('button', { type: 'button', class: name, part: `button ${part}` });

/** The element's shadow tree. Under the text lies a mirror of it, which colours the model's words and gives the height. */
export class WriterView {
  readonly root: ShadowRoot;
  readonly text = make('textarea', { id: 'text', part: 'text', rows: '1', 'aria-describedby': 'status' });
  readonly #labelSlot = make('slot', { name: 'label' });
  readonly #label = make('label', { class: 'label', part: 'label', for: 'text' }, this.#labelSlot);
  readonly go = button('go', 'continue');
  readonly undo = button('undo', 'undo');
  readonly retry = button('retry', 'retry');
  readonly #mirror = make('div', { class: 'mirror', 'aria-hidden': 'true' });
  readonly #paper = make('div', { class: 'paper', part: 'paper' }, this.#mirror, this.text);
  readonly #fill = make('i', { part: 'progress-fill' });
  readonly #progress = make(
    'div',
    { class: 'progress', part: 'progress', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' },
    this.#fill,
  );
  readonly #what = make('p', { part: 'error-message' });
  readonly #details = make('small', { part: 'error-details' });
  readonly #error = make(
    'div',
    { class: 'error', part: 'error', role: 'alert' },
    this.#what,
    this.#details,
    this.retry,
  );
  readonly #status = make('p', { class: 'status', part: 'status', id: 'status' });
  readonly #heard = make('p', { class: 'heard', role: 'status' });
  readonly #caret = make('span', { class: 'caret' });

  constructor(root: ShadowRoot) {
    this.root = root;
    this.go.setAttribute('aria-keyshortcuts', 'Control+Enter Meta+Enter');
    const actions = make('div', { class: 'actions' }, this.undo, this.go);
    const bar = make('div', { class: 'bar', part: 'bar' }, this.#status, make('slot'), actions);
    const frame = make('div', { class: 'frame', part: 'frame' }, this.#paper, this.#error, this.#progress, bar);
    root.append(this.#label, frame, this.#heard);
    this.adopt();
  }

  /** In another document a sheet of the one before does not hold. */
  adopt(): void {
    this.root.adoptedStyleSheets = [sheetOf(this.root.ownerDocument)];
  }

  /** Draws the text; the model's words are marked. While it writes, the end stays in sight if it was in sight. */
  draw(manuscript: Manuscript, writing: boolean): void {
    const { scrollHeight, scrollTop, clientHeight } = this.#paper;
    const atEnd = scrollHeight - scrollTop - clientHeight < 48;
    const text = textOf(manuscript);
    if (this.text.value !== text) this.text.value = text;
    const drawn = stretches(manuscript).map(({ by, text }) => (by === 'model' ? make('mark', {}, text) : text));
    this.#mirror.replaceChildren(...drawn, ...(writing ? [this.#caret] : []));
    if (writing && atEnd) this.#paper.scrollTop = this.#paper.scrollHeight;
  }

  /** What the text is called: by a label above it, or else only for who cannot see it. */
  name(label: string, otherwise: string): void {
    setText(this.#labelSlot, label);
    const labelled = label !== '' || this.#labelSlot.assignedNodes().length > 0;
    this.#label.hidden = !labelled;
    if (labelled) this.text.removeAttribute('aria-label');
    else this.text.setAttribute('aria-label', otherwise);
  }

  show({ busy, writing, status, shortcut, percent, loading, error, canUndo, labels }: Shown): void {
    this.text.setAttribute('aria-busy', String(writing));
    setText(this.#status, status || (error || this.go.disabled ? '' : shortcut));
    this.#status.classList.toggle('shortcut', status === '');
    setText(this.go, labels.go);
    this.go.classList.toggle('busy', busy);
    setText(this.undo, labels.undo);
    this.undo.hidden = !canUndo;
    this.#progress.hidden = !loading;
    this.#progress.setAttribute('aria-label', labels.progress);
    if (percent === undefined) this.#progress.removeAttribute('aria-valuenow');
    else this.#progress.setAttribute('aria-valuenow', String(percent));
    this.#fill.style.setProperty('--at', String((percent ?? 0) / 100));
    this.#error.hidden = !error;
    setText(this.retry, labels.retry);
    setText(this.#what, error?.what ?? '');
    setText(this.#details, error?.details ?? '');
  }

  /** Reads something out to who cannot see the rest. */
  say(text: string): void {
    setText(this.#heard, text);
  }
}

/** A text that stays as it is, is not read out again. */
function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
