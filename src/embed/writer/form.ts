import { WriterAttributes } from './attributes.ts';

/** A form's field, as `<textarea>` is one; what it holds is its `value`. */
export abstract class FormField extends WriterAttributes {
  static readonly formAssociated = true;
  protected readonly internals = this.attachInternals();

  abstract value: string;
  /** Whether something in a form above it is disabled. */
  protected fieldsetDisabled = false;

  get type(): string {
    return this.localName;
  }

  get form(): HTMLFormElement | null {
    return this.internals.form;
  }

  get labels(): NodeList {
    return this.internals.labels;
  }

  get validity(): ValidityState {
    return this.internals.validity;
  }

  get validationMessage(): string {
    return this.internals.validationMessage;
  }

  get willValidate(): boolean {
    return this.internals.willValidate;
  }

  checkValidity(): boolean {
    return this.internals.checkValidity();
  }

  reportValidity(): boolean {
    return this.internals.reportValidity();
  }

  /** Tells the form what the field holds, and whether that will do. */
  protected tellForm(anchor: HTMLElement, required: string): void {
    this.internals.setFormValue(this.value);
    if (this.required && this.value === '') this.internals.setValidity({ valueMissing: true }, required, anchor);
    else this.internals.setValidity({});
  }

  /** `:state(writing)` and its like, for a page's style. */
  protected tellState(status: string): void {
    const { states } = this.internals;
    if (!states || states.has(status)) return; // absent in browsers before 2024
    states.clear();
    states.add(status);
  }

  formResetCallback(): void {
    this.value = this.defaultValue;
  }

  /** The browser comes back to the page, or fills the form in. */
  formStateRestoreCallback(state: string | File | FormData | null): void {
    if (typeof state === 'string') this.value = state;
  }
}
