import './inside.css';
import { useEffect } from 'preact/hooks';
import { Bar } from './bar.tsx';
import { Inspector } from './inspector/view.tsx';
import { Lessons } from './lessons/player.tsx';
import { current, follow, readingFailure } from './reading.ts';
import { Station } from './station.tsx';
import { Block } from './stations/block/view.tsx';
import { Input } from './stations/input/view.tsx';
import { Output } from './stations/output/view.tsx';
import { Overview } from './stations/overview/view.tsx';
import { Runs } from './stations/runs/view.tsx';
import { TouchStation } from './stations/touch/view.tsx';
import { words } from './words.ts';

/** The model opened up, for the text on the page: an overview first, and stations that unfold in place. */
export function Inside() {
  useEffect(follow, []);
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

function Flow() {
  return (
    <>
      <Lessons />
      <Bar />
      <Station name="overview">{() => <Overview />}</Station>
      <Station name="input">{() => <Input />}</Station>
      <Station name="block">{() => <Block />}</Station>
      <Station name="output">{() => <Output />}</Station>
      <Station name="touch">{() => <TouchStation />}</Station>
      <Station name="runs">{() => <Runs />}</Station>
      <Inspector />
    </>
  );
}
