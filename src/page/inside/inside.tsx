import './inside.css';
import { useEffect } from 'preact/hooks';
import { arrival } from '../inside-open.ts';
import { Bar } from './bar.tsx';
import { followExperiment } from './experiment.ts';
import { Inspector } from './inspector/view.tsx';
import { bringIntoView } from './into-view.ts';
import { Lessons } from './lessons/player.tsx';
import { stations } from './looking.ts';
import { current, follow, readingFailure } from './reading.ts';
import { Station } from './station.tsx';
import { registry } from './stations/stations.ts';
import { Whole } from './whole/view.tsx';
import { words } from './words.ts';

/** The model opened up, for the text on the page: an overview first, and stations that unfold in place. */
export function Inside() {
  useEffect(follow, []);
  useEffect(followExperiment, []);
  useArrival();
  const failure = readingFailure.value;
  return (
    <section class="inside" aria-labelledby="inside-title">
      <header>
        <h2 id="inside-title">{words.title}</h2>
        <p class="summary">{words.intro}</p>
      </header>
      {failure !== undefined && (
        <p role="alert">{words.failed(failure instanceof Error ? failure.message : String(failure))}</p>
      )}
      {current.value ? <Flow /> : <p class="summary">{words.reading}</p>}
    </section>
  );
}

/** Once what was asked for is there, it is brought into view: it opens below the text. */
function useArrival(): void {
  const ready = current.value !== undefined;
  useEffect(() => {
    if (!arrival.value || !ready) return;
    arrival.value = false;
    const panel = document.querySelector('.inside');
    if (panel) bringIntoView(panel);
  }, [ready, arrival.value]);
}

function Flow() {
  return (
    <>
      <Bar />
      <Whole />
      <Lessons />
      {stations.map((name) => (
        <Station key={name} name={name} {...registry[name]} />
      ))}
      <Inspector />
    </>
  );
}
