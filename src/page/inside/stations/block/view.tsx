import { useMemo } from 'preact/hooks';
import { stepOutputs } from '../../../../plan/plan.ts';
import { magnitudeOf } from '../../../shares.ts';
import { Failure } from '../../draw/figure.tsx';
import { Matrix } from '../../draw/matrix.tsx';
import { Legend, Part, Strip, Sum, Vector } from '../../draw/part.tsx';
import { Framed, useFrame, useShown } from '../../frame.ts';
import { useLater } from '../../later.ts';
import { layer } from '../../looking.ts';
import { planOf } from '../../plan.ts';
import { type Reading, reading } from '../../reading.ts';
import { words as frameWords } from '../../words.ts';
import { Attention } from './attention.tsx';
import { Mlp } from './mlp.tsx';
import { Norm } from './norm.tsx';
import { turnsHeads } from './scores.ts';
import { words } from './words.ts';

/** One block from the residual stream and back to it, for the head and the token looked at. */
export function Block() {
  const { frame, stale, failure } = useFrame(namesOf(`blocks.${layer.value}`, reading.value));
  if (failure !== undefined) return <Failure what={failure} />;
  if (!frame) return <p class="summary">{frameWords.reading}</p>;
  const hook = `blocks.${frame.layer}`;
  const inTurn = areInTurn(frame.reading);
  const before = `${hook}.${inTurn ? 'hook_resid_mid' : 'hook_resid_pre'}`; // what the MLP reads
  return (
    <Framed value={{ frame, stale: stale! }}>
      <ol
        class="block-flow"
        aria-label={words.flow(frame.layer, frame.head, frame.text())}
        data-layer={frame.layer}
        data-head={frame.head}
        data-position={frame.position}
      >
        <Part title={words.residIn} hooks={[`${hook}.hook_resid_pre`]} on="stream" note={words.residInNote}>
          <Vector name={`${hook}.hook_resid_pre`} />
        </Part>
        <Norm which={1} hook={`${hook}.ln1`} input={`${hook}.hook_resid_pre`} />
        <QueriesKeysValues hook={`${hook}.attn`} />
        <Attention hook={`${hook}.attn`} />
        <Part title={words.z} hooks={[`${hook}.attn.hook_z`]} note={words.zNote}>
          <HeadRows title={words.z} name={`${hook}.attn.hook_z`} />
        </Part>
        <Projection hook={hook} />
        {inTurn && (
          <Part title={words.residMid} hooks={[before]} on="stream">
            <Sum parts={[`${hook}.hook_resid_pre`, `${hook}.hook_attn_out`]} sum={before} />
          </Part>
        )}
        <Norm which={2} hook={`${hook}.ln2`} input={before} />
        <Mlp hook={hook} />
        <Part title={words.residPost} hooks={[`${hook}.hook_resid_post`]} on="stream">
          <Sum
            parts={[before, ...(inTurn ? [] : [`${hook}.hook_attn_out`]), `${hook}.hook_mlp_out`]}
            sum={`${hook}.hook_resid_post`}
          />
        </Part>
      </ol>
    </Framed>
  );
}

const mid = 'hook_resid_mid';

/** Whether the MLP reads what attention has added to; in GPT-NeoX both read the same. */
const areInTurn = ({ model }: Reading) => model.tensors().some(({ name }) => name === `blocks.0.${mid}`);

/** All that is drawn of a block. */
const namesOf = (block: string, of: Reading | undefined) =>
  [
    ...parts.filter((part) => part !== mid || !of || areInTurn(of)),
    ...(of && turnsHeads(of) ? ['attn.hook_rot_q', 'attn.hook_rot_k'] : []),
  ].map((part) => `${block}.${part}`);

const parts = [
  ...['hook_resid_pre', 'ln1.hook_scale', 'ln1.hook_normalized'],
  ...['attn.hook_q', 'attn.hook_k', 'attn.hook_v', 'attn.hook_attn_scores', 'attn.hook_pattern', 'attn.hook_z'],
  ...['hook_attn_out', 'hook_resid_mid', 'ln2.hook_scale', 'ln2.hook_normalized'],
  ...['mlp.hook_pre', 'mlp.hook_post', 'hook_mlp_out', 'hook_resid_post'],
];

function QueriesKeysValues({ hook }: { hook: string }) {
  const names = { [words.query]: 'hook_q', [words.key]: 'hook_k', [words.values]: 'hook_v' };
  const hooks = Object.values(names).map((name) => `${hook}.${name}`);
  return (
    <Part title={words.qkv(useShown().frame.head)} hooks={hooks} note={words.qkvNote}>
      <div class="three">
        {Object.entries(names).map(([title, name]) => (
          <div key={name}>
            <h5>{title}</h5>
            <HeadRows title={title} name={`${hook}.${name}`} />
          </div>
        ))}
      </div>
    </Part>
  );
}

/** The looked at head's part of a tensor [tokens, heads, headDim]: a row for each token. */
function HeadRows({ title, name }: { title: string; name: string }) {
  const { frame, stale } = useShown();
  const tensor = frame.tensor(name);
  const [rows = 0, heads = 0, headDim = 0] = tensor.shape;
  // Heads may share keys and values.
  const of = Math.floor((frame.head * heads) / frame.reading.model.config.nHead);
  const data = useMemo(() => {
    const part = new Float32Array(rows * headDim);
    for (let row = 0; row < rows; row++) {
      const from = (row * heads + of) * headDim;
      part.set(tensor.data.subarray(from, from + headDim), row * headDim);
    }
    return part;
  }, [tensor, of]);
  const limit = useMemo(() => magnitudeOf(data), [data]);
  return (
    <div class="head-rows">
      <Matrix
        label={words.rows(title, of)}
        data={data}
        rows={rows}
        columns={headDim}
        scale="signed"
        limit={limit}
        tensor={name}
        cellAt={(row, column) => ({ kind: 'tensor', name, index: [row, of, column] })}
        describe={(row, column) => `“${frame.text(row)}” [${column}]`}
        marked={{ row: frame.position }}
        stale={stale}
      />
      <Legend scale="signed" limit={limit} />
    </div>
  );
}

function Projection({ hook }: { hook: string }) {
  const { frame, stale } = useShown();
  const { model } = frame.reading;
  const name = `${hook}.hook_attn_out`;
  const { value } = useLater(async () => {
    const step = (await planOf(model.config)).steps.find((one) => stepOutputs(one).includes(name));
    return step?.op === 'linear' ? { of: model, name, ...(await model.weight(step.weight)) } : undefined;
  }, [model, name]);
  const own = useMemo(() => {
    if (value?.of !== model || value.name !== name) return undefined;
    const z = frame.row(`${hook}.attn.hook_z`);
    return contribution(z, value.data, frame.head, z.length / model.config.nHead);
  }, [frame, value]);
  const limit = useMemo(() => magnitudeOf(frame.row(name), own), [frame, own]);
  return (
    <Part title={words.projection} hooks={[name]} note={words.projectionNote(frame.head)}>
      <div class="addition">
        <Vector name={name} label={words.allHeads} limit={limit} />
        {own && (
          <Strip
            label={words.oneHead(frame.head)}
            name={words.oneHead(frame.head)}
            data={own}
            limit={limit}
            tensor={`${name} of head ${frame.head}`}
            cellAt={(_, column) => ({ kind: 'tensor', name, index: [frame.position, column] })}
            stale={stale}
          />
        )}
      </div>
    </Part>
  );
}

/** One head's part of the projection: z [nHead * headDim] of one token, weight [nEmbd, nHead * headDim]. */
function contribution(z: Float32Array, weight: Float32Array, of: number, headDim: number): Float32Array {
  const own = new Float32Array(weight.length / z.length);
  for (let j = 0; j < own.length; j++) {
    for (let d = of * headDim; d < (of + 1) * headDim; d++) own[j]! += weight[j * z.length + d]! * z[d]!;
  }
  return own;
}
