import type { ComponentChildren } from 'preact';
import { TakePicture } from '../take/picture.tsx';
import { words } from '../words.ts';

/** A titled group of pictures within a station. */
export function Figure({
  title,
  note,
  take,
  children,
}: {
  title: string;
  note?: ComponentChildren;
  /** What the file is called in which the picture can be taken away; absent: it cannot. */
  take?: string;
  children: ComponentChildren;
}) {
  return (
    <figure class="figure">
      <figcaption>
        <h4>
          <Quoting text={title} />
        </h4>
        {note && <p>{typeof note === 'string' ? <Quoting text={note} /> : note}</p>}
      </figcaption>
      {children}
      {take && <TakePicture name={take} of=".figure" />}
    </figure>
  );
}

/** What is said where a view's numbers could not be read. */
export function Failure({ what }: { what: unknown }) {
  return <p role="alert">{words.failed(what instanceof Error ? what.message : String(what))}</p>;
}

/** Words with the tokens that they quote set apart, so that one written from right to left does not turn the sentence round; no line ends before its %. */
export function Quoting({ text }: { text: string }) {
  return (
    <>
      {text
        .split(/(?<=“)(.*?)(?=”)/s)
        .map((part, i) => (i % 2 ? <bdi>{part}</bdi> : part.replace(/(\d) %/g, '$1\u00a0%')))}
    </>
  );
}
