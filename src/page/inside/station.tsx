import { type StationName, unfold, unfolded } from './looking.ts';
import type { StationEntry } from './stations/stations.ts';

/** One stop of the flow, folded to its heading until it is opened; what is folded is not drawn, nor computed. */
export function Station({ name, View, words: [title, summary] }: StationEntry & { name: StationName }) {
  const open = unfolded.value.has(name);
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
        {open && <View />}
      </div>
    </section>
  );
}
