import type { ComponentType } from 'preact';
import type { StationName } from '../looking.ts';
import { Block } from './block/view.tsx';
import { words as block } from './block/words.ts';
import { Compare } from './compare/view.tsx';
import { words as compare } from './compare/words.ts';
import { Input } from './input/view.tsx';
import { words as input } from './input/words.ts';
import { Moved } from './moved/view.tsx';
import { words as moved } from './moved/words.ts';
import { Neuron } from './neuron/view.tsx';
import { words as neuron } from './neuron/words.ts';
import { Output } from './output/view.tsx';
import { words as output } from './output/words.ts';
import { Overview } from './overview/view.tsx';
import { words as overview } from './overview/words.ts';
import { Runs } from './runs/view.tsx';
import { words as runs } from './runs/words.ts';
import { Spoke } from './spoke/view.tsx';
import { words as spoke } from './spoke/words.ts';
import { TouchStation } from './touch/view.tsx';
import { words as touch } from './touch/words.ts';

export interface StationEntry {
  View: ComponentType;
  words: [title: string, summary: string];
}

/** Every station, in the order of the page. One more is a folder with its view, words and style, its name (looking.ts), and a line here. */
export const registry: { readonly [Name in StationName]: StationEntry } = {
  overview: { View: Overview, words: overview.station },
  input: { View: Input, words: input.station },
  block: { View: Block, words: block.station },
  neuron: { View: Neuron, words: neuron.station },
  output: { View: Output, words: output.station },
  spoke: { View: Spoke, words: spoke.station },
  moved: { View: Moved, words: moved.station },
  touch: { View: TouchStation, words: touch.station },
  compare: { View: Compare, words: compare.station },
  runs: { View: Runs, words: runs.station },
};
