import { useMemo } from 'preact/hooks';
import { Matrix } from '../../draw/matrix.tsx';
import { head, layer, position } from '../../looking.ts';
import { current, type Reading, useLater, useTensor } from '../../reading.ts';
import { words } from './words.ts';
import { Attention } from './attention.tsx';
import { Mlp } from './mlp.tsx';
import { Norm } from './norm.tsx';
import { Legend, largest, Part, Strip, Sum, tokenText, useRow, Vector } from '../../draw/part.tsx';

/** One block from the residual stream and back to it, for the head and the token looked at. */
export function Block() {
  const reading = current.value;
  if (!reading) return null;
  const hook = `blocks.${layer.value}`;
  return (
    <ol
      class="block-flow"
      aria-label={words.flow(layer.value, head.value, tokenText())}
      data-layer={layer.value}
      data-head={head.value}
      data-position={position.value}
    >
      <Part title={words.residIn} hooks={[`${hook}.hook_resid_pre`]} on="stream" note={words.residInNote}>
        <Vector name={`${hook}.hook_resid_pre`} />
      </Part>
      <Norm title={words.norm(1)} hook={`${hook}.ln1`} input={`${hook}.hook_resid_pre`} />
      <QueriesKeysValues hook={`${hook}.attn`} />
      <Attention reading={reading} hook={`${hook}.attn`} />
      <Part title={words.z} hooks={[`${hook}.attn.hook_z`]} note={words.zNote}>
        <HeadRows title={words.z} name={`${hook}.attn.hook_z`} />
      </Part>
      <Projection reading={reading} hook={hook} />
      <Part title={words.residMid} hooks={[`${hook}.hook_resid_mid`]} on="stream">
        <Sum a={`${hook}.hook_resid_pre`} b={`${hook}.hook_attn_out`} sum={`${hook}.hook_resid_mid`} />
      </Part>
      <Norm title={words.norm(2)} hook={`${hook}.ln2`} input={`${hook}.hook_resid_mid`} />
      <Mlp reading={reading} hook={hook} />
      <Part title={words.residPost} hooks={[`${hook}.hook_resid_post`]} on="stream">
        <Sum a={`${hook}.hook_resid_mid`} b={`${hook}.hook_mlp_out`} sum={`${hook}.hook_resid_post`} />
      </Part>
    </ol>
  );
}

function QueriesKeysValues({ hook }: { hook: string }) {
  const names = { [words.query]: 'hook_q', [words.key]: 'hook_k', [words.values]: 'hook_v' };
  const hooks = Object.values(names).map((name) => `${hook}.${name}`);
  return (
    <Part title={words.qkv(head.value)} hooks={hooks} note={words.qkvNote}>
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
  const { tensor, stale } = useTensor(name);
  const [rows = 0, heads = 0, headDim = 0] = tensor?.shape ?? [];
  const of = Math.min(head.value, heads - 1);
  const data = useMemo(() => {
    if (!tensor) return undefined;
    const part = new Float32Array(rows * headDim);
    for (let row = 0; row < rows; row++) {
      const from = (row * heads + of) * headDim;
      part.set(tensor.data.subarray(from, from + headDim), row * headDim);
    }
    return part;
  }, [tensor, of]);
  const limit = useMemo(() => largest(data), [data]);
  if (!data) return null;
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
        describe={(row, column) => `${tokenText(row)} [${column}]`}
        marked={{ row: Math.min(position.value, rows - 1) }}
        stale={stale}
      />
      <Legend scale="signed" limit={limit} />
    </div>
  );
}

function Projection({ reading, hook }: { reading: Reading; hook: string }) {
  const name = `${hook}.hook_attn_out`;
  const whole = useRow(name);
  const z = useRow(`${hook}.attn.hook_z`);
  const weight = `h.${layer.value}.attn.c_proj.weight`;
  const { value, stale } = useLater(() => reading.model.weight(weight), [reading.model, weight]);
  const own = useMemo(() => {
    if (!z.row || value?.shape[1] !== z.row.length) return undefined;
    return contribution(z.row, value.data, head.value, z.row.length / reading.model.config.nHead);
  }, [z.row, value, head.value]);
  const limit = useMemo(() => largest(whole.row, own), [whole.row, own]);
  return (
    <Part title={words.projection} hooks={[name]} note={words.projectionNote(head.value)}>
      <div class="addition">
        <Vector name={name} label={words.allHeads} limit={limit} />
        {own && (
          <Strip
            label={words.oneHead(head.value)}
            name={words.oneHead(head.value)}
            data={own}
            limit={limit}
            tensor={`${name} of head ${head.value}`}
            cellAt={(_, column) => ({ kind: 'tensor', name, index: [whole.at, column] })}
            stale={whole.stale || z.stale || stale}
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
