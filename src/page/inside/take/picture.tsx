import './style.css';
import { useRef } from 'preact/hooks';
import { save, useSaving } from './save.ts';
import { svgOf } from './svg.ts';
import { words } from './words.ts';

/** The picture that this stands in, to take away as it is drawn. */
export function TakePicture({
  name,
  of,
}: {
  /** Of the file. */ name: string /** A selector of what is taken. */;
  of: string;
}) {
  const here = useRef<HTMLParagraphElement>(null);
  const { failure, saving } = useSaving();
  const take = saving(() => {
    const picture = here.current!.closest(of);
    if (picture) save(`${name}.svg`, svgOf(picture, name), 'image/svg+xml');
  });
  return (
    <p class="take-picture" ref={here}>
      <button type="button" class="quiet" aria-label={words.pictureOf(name)} onClick={take}>
        {words.picture}
      </button>
      {failure !== undefined && <span role="alert">{words.failed(failure)}</span>}
    </p>
  );
}
