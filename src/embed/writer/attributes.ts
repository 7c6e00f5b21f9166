/** How an attribute is read as a property, and written from it; null: the attribute goes. */
interface Kind<T> {
  read(value: string | null): T;
  write(value: T): string | null;
}

const text: Kind<string> = { read: (value) => value ?? '', write: String };
const flag: Kind<boolean> = { read: (value) => value !== null, write: (value) => (value ? '' : null) };
const optional: Kind<string | null> = {
  read: (value) => value,
  write: (value) => (value === null ? null : `${value}`),
};

/** What is no number is the default, as in HTML. */
const number = <Default extends number | null>(standard: Default): Kind<number | Default> => ({
  read: (value) => (value === null || value.trim() === '' || Number.isNaN(Number(value)) ? standard : Number(value)),
  write: (value) => (value === null ? null : String(value)),
});

export type Loading = 'ask' | 'visible' | 'eager';

const loading: Kind<Loading> = {
  read: (value) => (['visible', 'eager'] as const).find((known) => known === value?.toLowerCase()) ?? 'ask',
  write: String,
};

/** Property -> its attribute, and how it reads. */
const attributes: Record<
  string,
  readonly [string, { read: Kind<unknown>['read']; write(value: never): string | null }]
> = {
  src: ['src', text],
  name: ['name', text],
  defaultValue: ['value', text],
  placeholder: ['placeholder', text],
  label: ['label', text],
  disabled: ['disabled', flag],
  required: ['required', flag],
  readOnly: ['readonly', flag],
  loading: ['loading', loading],
  device: ['device', optional],
  dtype: ['dtype', optional],
  revision: ['revision', optional],
  maxTokens: ['max-tokens', number(64)],
  temperature: ['temperature', number(0.7)],
  topK: ['top-k', number(null)],
  topP: ['top-p', number(0.95)],
  repetitionPenalty: ['repetition-penalty', number(null)],
  seed: ['seed', number(null)],
  stopAt: ['stop-at', optional],
};

/** On a server there are no elements: the class is defined there too, and never made. */
const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement);

/** The writer's attributes, each of which is a property too. */
export abstract class WriterAttributes extends Base {
  /** The model, as `load` takes it: a hub id, or an address relative to the page. */
  declare src: string;
  /** Its name in a form. */
  declare name: string;
  /** The `value` attribute: the text at first, and after a form is reset. */
  declare defaultValue: string;
  declare placeholder: string;
  /** What stands above the text; without it a `<label>` for the element names it. */
  declare label: string;
  declare disabled: boolean;
  declare required: boolean;
  /** The text cannot be typed in; the model still writes in it. */
  declare readOnly: boolean;
  /** When the model is fetched: once it is asked to write (`ask`, the default), once it is seen, or at once. */
  declare loading: Loading;
  declare device: string | null;
  declare dtype: string | null;
  declare revision: string | null;
  /** Tokens at a time: 64. */
  declare maxTokens: number;
  /** 0.7; at 0 the model writes the same each time. */
  declare temperature: number;
  declare topK: number | null;
  /** 0.95. */
  declare topP: number;
  declare repetitionPenalty: number | null;
  declare seed: number | null;
  /** Where the model stops before it writes this. */
  declare stopAt: string | null;

  static readonly observedAttributes = Object.values(attributes).map(([name]) => name);

  static {
    for (const [property, [name, kind]] of Object.entries(attributes)) {
      Object.defineProperty(WriterAttributes.prototype, property, {
        configurable: true,
        enumerable: true,
        get(this: HTMLElement) {
          return kind.read(this.getAttribute(name));
        },
        set(this: HTMLElement, value: never) {
          const written = value === undefined ? null : kind.write(value);
          if (written === null) this.removeAttribute(name);
          else this.setAttribute(name, written);
        },
      });
    }
  }

  /** What was set before the element was defined hides its accessor: it is set again. */
  protected upgrade(...others: string[]): void {
    const own = this as unknown as Record<string, unknown>;
    for (const property of [...Object.keys(attributes), ...others]) {
      if (!Object.hasOwn(this, property)) continue;
      const value = own[property];
      delete own[property];
      own[property] = value;
    }
  }
}
