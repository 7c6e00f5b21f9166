import './style.css';
import { shown } from '../../models.ts';
import { sourceOf } from '../../sources.ts';
import { CopyButton } from '../../views/copy-button.tsx';
import type { Cell } from '../looking.ts';
import type { Reading } from '../reading.ts';
import { codeOf, csvOf } from './files.ts';
import { save, useSaving } from './save.ts';
import { svgOf } from './svg.ts';
import { words } from './words.ts';

/** CSS pixels that the shorter side of a saved picture has at least. */
const smallest = 512;

/** What is looked at, to take along: the tensor, the picture of it, the code that makes the number. */
export function TakeAway({ cell: { name, index }, reading }: { cell: Cell; reading: Reading }) {
  const { failure, saving } = useSaving();
  /** As it is drawn now: where a link brings the cell, its picture comes later. */
  const picture = () => {
    const found = document.querySelector<HTMLCanvasElement>(`canvas[data-tensor="${CSS.escape(name)}"]`);
    if (!found) throw new Error(words.notDrawn);
    return found;
  };
  const code = () => {
    const source = shown.value && sourceOf(shown.value.ref);
    const text = reading.texts.join('');
    return codeOf({ source: nameOf(source), ids: reading.ids, text, edits: reading.edits, tensor: name, index });
  };
  return (
    <div class="take-away">
      <h4>{words.title}</h4>
      <button
        type="button"
        class="quiet"
        onClick={saving(async () => save(`${name}.csv`, csvOf(await reading.tensor(name)), 'text/csv'))}
      >
        {words.csv}
      </button>
      <button
        type="button"
        class="quiet"
        onClick={saving(async () => save(`${name}.png`, await enlarged(picture()), 'image/png'))}
      >
        {words.png}
      </button>
      <button
        type="button"
        class="quiet"
        onClick={saving(() => save(`${name}.svg`, svgOf(withNames(picture()), name), 'image/svg+xml'))}
      >
        {words.svg}
      </button>
      <CopyButton text={code} label={words.code} done={words.copied} title={words.codeHint} />
      {failure !== undefined && <p role="alert">{words.failed(failure)}</p>}
    </div>
  );
}

/** A matrix with the names of its rows and columns, where it has any. */
const withNames = (picture: Element) =>
  picture.closest('.named-map, .labelled') ?? picture.closest('.matrix') ?? picture;

/** An address stands for itself wherever the code runs. */
function nameOf(source: unknown): string | undefined {
  if (source instanceof URL) return source.href;
  return typeof source === 'string' ? source : undefined;
}

/** A picture of a pixel a number, each a square of one colour. */
async function enlarged(from: HTMLCanvasElement): Promise<Blob> {
  const cell = Math.max(1, Math.ceil(smallest / Math.max(1, Math.min(from.width, from.height))));
  const scale = Math.max(1, Math.min(cell, Math.floor(8192 / Math.max(from.width, from.height))));
  const canvas = Object.assign(document.createElement('canvas'), {
    width: from.width * scale,
    height: from.height * scale,
  });
  const context = canvas.getContext('2d')!;
  context.imageSmoothingEnabled = false;
  context.drawImage(from, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error(words.noPicture))), 'image/png'),
  );
}
