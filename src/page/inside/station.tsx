import type { ComponentChildren } from 'preact';
import { type StationName, unfold, unfolded } from './looking.ts';
import { words } from './words.ts';

/** One stop of the flow, folded to its heading until it is opened; what is folded is not drawn, nor computed. */
export function Station({ name, children }: { name: StationName; children: () => ComponentChildren }) {
  const open = unfolded.value.has(name);
  const [title, summary] = words.stations[name]!;
  return (
    <section class="station" id={`station-${name}`} data-open={open} aria-labelledby={`station-${name}-title`}>
      <h3>
        <button
          type="button"
          aria-expanded={open}
          aria-controls={`station-${name}-body`}
          onClick={() => unfold(name, !open)}
        >
          <span id={`station-${name}-title`}>{title}</span>
          <span class="summary">{summary}</span>
        </button>
      </h3>
      <div id={`station-${name}-body`} class="body" hidden={!open}>
        {open && children()}
      </div>
    </section>
  );
}

/** A titled group of pictures within a station. */
export function Figure({
  title,
  note,
  children,
}: {
  title: string;
  note?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <figure class="figure">
      <figcaption>
        <h4>{title}</h4>
        {note && <p>{note}</p>}
      </figcaption>
      {children}
    </figure>
  );
}
