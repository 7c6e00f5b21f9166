import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ImageSource } from '../../index.ts';
import { useLater } from '../inside/later.ts';
import { centredDigit, type Grey } from './digit-image.ts';
import { drawGrey, Pad } from './pad.tsx';
import { words } from './words/vision.ts';

interface Sample extends Grey {
  label: number;
}

/** How many samples are offered at once. */
const offered = 10;

/** A digit that is drawn, or one that somebody wrote. */
export function DigitInput({ onImage }: { onImage: (image: ImageSource | undefined) => void }) {
  const [base, setBase] = useState<Sample | undefined>(undefined);
  const onDraw = (drawing: Grey, isOwn: boolean) => {
    const digit = isOwn ? centredDigit(drawing) : base;
    onImage(digit && { ...digit, channels: 1 });
  };
  return (
    <div class="digit-input">
      <Pad base={base} onDraw={onDraw} onClear={() => setBase(undefined)} />
      <Samples chosen={base} onChoose={setBase} />
    </div>
  );
}

function Samples({ chosen, onChoose }: { chosen: Sample | undefined; onChoose: (sample: Sample) => void }) {
  const { value: samples, failure } = useLater(fetchSamples, []);
  const [from, setFrom] = useState(0);
  const shown = useMemo(() => spread(samples ?? [], from), [samples, from]);
  if (failure !== undefined) return <p class="summary">{words.samplesFailed}</p>;
  return (
    <fieldset class="samples">
      <legend>{words.samples}</legend>
      <div class="sample-row">
        {shown.map((sample) => (
          <SampleButton
            key={samples!.indexOf(sample)}
            sample={sample}
            label={words.sample(sample.label, samples!.indexOf(sample))}
            isChosen={sample === chosen}
            onChoose={() => onChoose(sample)}
          />
        ))}
      </div>
      {samples && samples.length > offered && (
        <button type="button" class="quiet" onClick={() => setFrom(from + 1)}>
          {words.moreSamples}
        </button>
      )}
    </fieldset>
  );
}

/** One of each digit, others each time. */
function spread(samples: readonly Sample[], turn: number): Sample[] {
  return Array.from({ length: offered }, (_, label) => {
    const alike = samples.filter((sample) => sample.label === label);
    return alike[turn % Math.max(1, alike.length)];
  }).filter((sample) => sample !== undefined);
}

interface ButtonProps {
  sample: Sample;
  label: string;
  isChosen: boolean;
  onChoose: () => void;
}

function SampleButton({ sample, label, isChosen, onChoose }: ButtonProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => drawGrey(canvas.current!.getContext('2d')!, sample), [sample]);
  return (
    <button type="button" class="sample" aria-pressed={isChosen} aria-label={label} onClick={onChoose}>
      <canvas ref={canvas} width={sample.width} height={sample.height} />
    </button>
  );
}

/** Digits of MNIST's test part, which the model never learned from. */
export async function fetchSamples(signal: AbortSignal): Promise<Sample[]> {
  const response = await fetch(new URL('models/tiny-digits/samples.json', document.baseURI), { signal });
  if (!response.ok) throw new TypeError(`The samples' server answered ${response.status}.`);
  const { digits } = (await response.json()) as { digits: { label: number; pixels: string }[] };
  return digits.map(({ label, pixels }) => {
    const data = Uint8Array.from(atob(pixels), (character) => character.charCodeAt(0));
    return { label, data, width: 28, height: data.length / 28 };
  });
}
