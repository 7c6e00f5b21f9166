import { useState } from 'preact/hooks';
import type { WorkerVision } from '../../embed/client.ts';
import type { ImageSource } from '../../index.ts';
import { messageOf } from '../failure.ts';
import { centredDigit, type Grey, readsDigits } from '../rooms/digit-image.ts';
import { fetchSamples } from '../rooms/digit-input.tsx';
import { Pad } from '../rooms/pad.tsx';
import { Act } from './classes.tsx';
import { isLearning } from './course.ts';
import { FileChoice } from './files.tsx';
import { How } from './how.tsx';
import { Miniature } from './miniature.tsx';
import { names, type Picture, pictures, teachPictures } from './pictures.ts';
import { words } from './words.ts';

const mostPictures = 200;
const mostNames = 12;

/** Digits whose line closes, and those whose line does not; of a four that is a matter of the hand. */
const holes: readonly (readonly [name: string, digits: readonly number[]])[] = [
  [words.withHole, [0, 6, 8, 9]],
  [words.withoutHole, [1, 2, 3, 5, 7]],
];

/** Adds pictures as the model reads them, and tells what was not taken. */
function useAdding(model: WorkerVision) {
  const [refused, setRefused] = useState<string | undefined>(undefined);
  const add = async (label: string, images: readonly { image: ImageSource; text: string }[]) => {
    setRefused(undefined);
    for (const { image, text } of images) {
      if (pictures.value.length >= mostPictures) return setRefused(words.mostPictures(mostPictures));
      try {
        const pixels = await model.preprocess(image);
        if (names.peek().includes(label)) pictures.value = [...pictures.value, { label, text, pixels }];
      } catch (error) {
        setRefused(words.noPicture(text, messageOf(error)));
      }
    }
  };
  const takeSample = async () => {
    names.value = holes.map(([name]) => name);
    pictures.value = [];
    try {
      const samples = await fetchSamples(new AbortController().signal);
      for (const [name, digits] of holes) {
        const own = samples.filter(({ label }) => digits.includes(label));
        await add(
          name,
          own.map((sample, i) => ({ image: { ...sample, channels: 1 }, text: words.sampleDigit(sample.label, i) })),
        );
      }
    } catch {
      setRefused(words.samplesFailed);
    }
  };
  return { refused, add, takeSample };
}

/** The examples of a model that reads images: drawn, chosen or dropped, under the names of their classes. */
export function Albums({ model }: { model: WorkerVision }) {
  const isOfDigits = readsDigits(model.config);
  const [drawing, setDrawing] = useState<ImageSource | undefined>(undefined);
  const [turn, setTurn] = useState(0);
  const { refused, add, takeSample } = useAdding(model);
  const addDrawing = (label: string) => {
    if (!drawing) return;
    void add(label, [{ image: drawing, text: words.drawing(turn + 1, label) }]);
    setDrawing(undefined);
    setTurn(turn + 1);
  };
  const onDraw = (drawn: Grey, isOwn: boolean) => {
    const digit = isOwn ? centredDigit(drawn) : undefined;
    setDrawing(digit && { ...digit, channels: 1 });
  };
  const isEmpty = names.value.length === 0;
  const why = whyNot();
  return (
    <section class="examples" aria-labelledby="pictures-title">
      <h3 id="pictures-title">{words.examples}</h3>
      <p class="summary">{isOfDigits ? words.drawnLead : words.picturesLead}</p>
      <div class="actions">
        {isOfDigits && (
          <button
            type="button"
            class={isEmpty ? 'primary' : 'plain'}
            disabled={isLearning.value}
            onClick={() => void takeSample()}
          >
            {words.sample}
          </button>
        )}
        {!isEmpty && (
          <button
            type="button"
            class="quiet"
            disabled={isLearning.value}
            onClick={() => {
              names.value = [];
              pictures.value = [];
            }}
          >
            {words.clear}
          </button>
        )}
      </div>
      <div class="albums" data-pad={isOfDigits}>
        {isOfDigits && <Pad key={turn} base={undefined} onDraw={onDraw} onClear={() => setDrawing(undefined)} />}
        <div class="albums-list">
          {names.value.map((name) => (
            <Album
              key={name}
              name={name}
              {...(isOfDigits && { onDrawing: drawing ? () => addDrawing(name) : undefined })}
              canDraw={isOfDigits}
              onFiles={(files) =>
                void add(
                  name,
                  files.map((file) => ({ image: file, text: file.name })),
                )
              }
            />
          ))}
          <NewName />
        </div>
      </div>
      <div class="found" role="status">
        {refused && <p class="wrong">{refused}</p>}
        {why ? <p class="summary">{why}</p> : <p data-pictures={pictures.value.length}>{found()}</p>}
      </div>
      {!why && <How model={model} />}
      <Act isHindered={why !== undefined} onTeach={() => void teachPictures(model)} />
    </section>
  );
}

const countOf = (name: string) => pictures.value.filter(({ label }) => label === name).length;
const found = () =>
  words.found(
    pictures.value.length,
    names.value.map((label) => ({ label, count: countOf(label) })).filter(({ count }) => count > 0),
  );

/** Why nothing can be learnt of these pictures. */
function whyNot(): string | undefined {
  const full = names.value.filter((name) => countOf(name) > 0);
  if (full.length === 0) return words.empty;
  return full.length === 1 ? words.oneClass(full[0]!) : undefined;
}

interface AlbumProps {
  name: string;
  canDraw: boolean;
  /** Adds what is drawn; undefined while nothing is. */
  onDrawing?: (() => void) | undefined;
  onFiles: (files: readonly File[]) => void;
}

/** A class with its pictures, which may be dropped here. */
function Album({ name, canDraw, onDrawing, onFiles }: AlbumProps) {
  const own = pictures.value.filter(({ label }) => label === name);
  const remove = (one: Picture) => {
    pictures.value = pictures.value.filter((other) => other !== one);
  };
  const onDrop = (event: DragEvent) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length === 0 || isLearning.value) return;
    event.preventDefault(); // the page would take them for a model's
    onFiles(files);
  };
  return (
    <fieldset class="album" disabled={isLearning.value} onDrop={onDrop}>
      <legend>
        <bdi>{name}</bdi> <span class="summary">{own.length}</span>
      </legend>
      {own.length > 0 && (
        <ul class="miniatures">
          {own.map((one, i) => (
            <li key={`${one.text} ${i}`}>
              <button
                type="button"
                title={words.remove(one.text)}
                aria-label={words.remove(one.text)}
                onClick={() => remove(one)}
              >
                <Miniature pixels={one.pixels} label={one.text} />
              </button>
            </li>
          ))}
        </ul>
      )}
      <div class="actions">
        {canDraw && (
          <button
            type="button"
            class="plain"
            aria-label={words.ofClass(words.addDrawing, name)}
            disabled={!onDrawing}
            onClick={() => onDrawing?.()}
          >
            {words.addDrawing}
          </button>
        )}
        <FileChoice
          label={words.choosePictures}
          of={name}
          accept="image/*"
          several
          onFile={(file) => onFiles([file])}
        />
        {own.length === 0 && (
          <button
            type="button"
            class="quiet"
            aria-label={words.ofClass(words.removeClass, name)}
            onClick={() => {
              names.value = names.value.filter((other) => other !== name);
            }}
          >
            {words.removeClass}
          </button>
        )}
      </div>
    </fieldset>
  );
}

function NewName() {
  const [name, setName] = useState('');
  const own = name.trim();
  const canAdd = own !== '' && !names.value.includes(own) && names.value.length < mostNames && !isLearning.value;
  return (
    <form
      class="new-name"
      onSubmit={(event) => {
        event.preventDefault();
        if (!canAdd) return;
        names.value = [...names.value, own];
        setName('');
      }}
    >
      <input
        type="text"
        dir="auto"
        aria-label={words.newClass}
        placeholder={words.newClass}
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <button type="submit" class="plain" disabled={!canAdd}>
        {words.addNewClass}
      </button>
    </form>
  );
}
