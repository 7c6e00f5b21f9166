import { useMemo } from 'preact/hooks';
import type { TracedTensor } from '../../index.ts';
import type { Attention } from './anatomy.ts';
import { headOf } from './anatomy.ts';
import { Thumb } from './thumb.tsx';
import { words } from './words/anatomy.ts';

export interface HeadAt {
  attention: Attention;
  head: number;
}

interface Props {
  attentions: readonly Attention[];
  traced: ReadonlyMap<string, TracedTensor>;
  chosen: HeadAt;
  onChoose: (at: HeadAt) => void;
  /** What of a head's shares [rows, keys] its picture shows. */
  picture: (shares: Float32Array, rows: number, keys: number) => { data: Float32Array; rows: number; columns: number };
  label: string;
}

/** Every head of some attentions as a small picture, a row a layer; one is chosen. */
export function Heads({ attentions, traced, chosen, onChoose, picture, label }: Props) {
  const all = attentions.flatMap((attention) =>
    Array.from({ length: attention.heads }, (_, head): HeadAt => ({ attention, head })),
  );
  const at = all.findIndex((one) => one.attention.name === chosen.attention.name && one.head === chosen.head);
  const columns = attentions[0]?.heads ?? 1;
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[event.key];
    const next = step === undefined ? undefined : all[at + step];
    if (!next) return;
    event.preventDefault();
    onChoose(next);
    (event.currentTarget.querySelectorAll('button')[at + step!] as HTMLElement | undefined)?.focus();
  };
  return (
    <div
      class="head-choice"
      role="radiogroup"
      aria-label={label}
      style={{ '--columns': columns }}
      onKeyDown={onKeyDown}
    >
      {all.map((one, i) => (
        <HeadButton
          key={`${one.attention.name} ${one.head}`}
          {...one}
          tensor={traced.get(one.attention.name)}
          isChosen={i === at}
          onChoose={() => onChoose(one)}
          picture={picture}
        />
      ))}
    </div>
  );
}

interface ButtonProps extends HeadAt {
  tensor: TracedTensor | undefined;
  isChosen: boolean;
  onChoose: () => void;
  picture: Props['picture'];
}

function HeadButton({ attention, head, tensor, isChosen, onChoose, picture }: ButtonProps) {
  const shown = useMemo(() => {
    if (!tensor) return undefined;
    const [, rows = 0, keys = 0] = tensor.shape;
    const one = picture(headOf(tensor, head), rows, keys);
    return { ...one, limit: one.data.reduce((a, b) => Math.max(a, b), 1e-6) };
  }, [tensor, head, picture]);
  return (
    <button
      type="button"
      role="radio"
      aria-checked={isChosen}
      aria-label={words.headAt(attention.layer, head)}
      title={words.headAt(attention.layer, head)}
      tabIndex={isChosen ? 0 : -1}
      onClick={onChoose}
    >
      {shown && <Thumb {...shown} tensor={`${attention.name} ${head}`} />}
    </button>
  );
}
