/**
 * Importing it defines `<vitrine-writer>`.
 * @module vitrine/elements
 */
import { VitrineWriter, type WriterEvents } from './writer/element.ts';

export { VitrineWriter, type WriterEvents, type WriterStatus } from './writer/element.ts';
export type { WriterStrings } from './writer/strings.ts';

declare global {
  interface HTMLElementTagNameMap {
    'vitrine-writer': VitrineWriter;
  }
  interface HTMLElementEventMap extends WriterEvents {}
}

// A server renders the tag alone; a second copy of the package leaves the first one's definition.
if (typeof customElements !== 'undefined' && !customElements.get('vitrine-writer')) {
  customElements.define('vitrine-writer', VitrineWriter);
}
