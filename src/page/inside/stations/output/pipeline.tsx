import type { SamplingStage } from '../../../../run/sampling.ts';
import { percent } from '../../../format.ts';
import { ranges, type Settings } from '../../../settings.ts';
import { CellLink, Part } from '../../draw/part.tsx';
import type { Cell } from '../../looking.ts';
import { mostTokens, type Pipeline, type StageView } from './stages.ts';
import { words } from './words.ts';

interface PipelineProps {
  pipeline: Pipeline;
  /** Of the run without the visitor's changes, if there are any. */
  other: Pipeline | undefined;
  settings: Settings;
  at: number;
  text: (id: number) => string;
  stale: boolean;
}

/** A row for each token shown, a column for each stage that is on. */
export function PipelineTable({ pipeline, other, settings, at, text, stale }: PipelineProps) {
  const { stages, shown, picked } = pipeline;
  const last = other?.stages.at(-1);
  const columns = last ? [...stages, last] : stages;
  const most = Math.max(...columns.flatMap(({ probs }) => probs.map((prob) => prob ?? 0)));
  const off = offStages(stages, settings);
  return (
    <Part title={words.pipeline} hooks={[]} note={words.pipelineNote(mostTokens, shown.length > mostTokens)}>
      <div class="pipeline" role="region" aria-label={words.pipeline} tabIndex={0} data-stale={stale}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.token}</th>
              {stages.map(({ name, left }) => (
                <th scope="col" key={name} data-stage={name} data-left={left}>
                  {words.stage[name]}
                  <span class="summary">{settingOf(name, settings)}</span>
                  <span class="summary">{words.remain(left)}</span>
                </th>
              ))}
              {last && (
                <th scope="col" data-stage="untouched">
                  {words.untouched}
                  <span class="summary">{words.untouchedNote}</span>
                  <span class="summary">{words.remain(last.left)}</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {shown.map((id, i) => (
              <tr key={id} data-id={id} data-drawn={id === picked.id}>
                <th scope="row">
                  <bdi class="token">{text(id)}</bdi>
                  <span class="summary">{id === picked.id ? words.drawnMark : ''}</span>
                </th>
                {columns.map((stage) => (
                  <Share key={stage === last ? 'untouched' : stage.name} stage={stage} i={i} most={most}>
                    {stage.name === 'logits' ? (
                      <CellLink what={words.logit(text(id))} to={logitCell(at, id)} value={stage.logits[i]!} />
                    ) : (
                      stage.name === 'penalties' && <Penalised from={stages[0]!.logits[i]!} to={stage.logits[i]!} />
                    )}
                  </Share>
                ))}
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row">{words.others(stages[0]!.others)}</th>
              {columns.map((stage) => (
                <td key={stage === last ? 'untouched' : stage.name} data-others={stage.others} data-tail={stage.tail}>
                  {stage.others > 0 && <Amount share={stage.tail} most={most} />}
                  {stage.others > 0 ? words.tail(stage.tail) : words.cut}
                </td>
              ))}
            </tr>
          </tfoot>
        </table>
      </div>
      {off.length > 0 && <p class="summary">{words.off(off)}</p>}
    </Part>
  );
}

const logitCell = (at: number, id: number): Cell => ({ kind: 'tensor', name: 'logits', index: [at, id] });

interface ShareProps {
  stage: StageView;
  i: number;
  most: number;
  children: preact.ComponentChildren;
}

/** One token at one stage. */
function Share({ stage, i, most, children }: ShareProps) {
  const prob = stage.probs[i];
  if (prob === undefined) return <td data-cut="true">{words.cut}</td>;
  return (
    <td data-prob={prob} data-logit={stage.logits[i]}>
      <Amount share={prob} most={most} />
      {children}
      <span class="share">{percent(prob)}</span>
    </td>
  );
}

function Amount({ share, most }: { share: number; most: number }) {
  return (
    <span class="space">
      <span class="amount" style={{ '--share': Math.min(1, share / most) }} />
    </span>
  );
}

function Penalised({ from, to }: { from: number; to: number }) {
  return (
    <span class="logit" data-changed={from !== to}>
      {words.logitValue(to)}
    </span>
  );
}

function settingOf(name: SamplingStage['name'], settings: Settings): string {
  switch (name) {
    case 'logits':
      return words.setting.logits;
    case 'penalties':
      return penaltiesOf(settings);
    case 'temperature':
      return settings.temperature === 0 ? words.setting.greedy : words.setting.temperature(settings.temperature);
    case 'topK':
    case 'topP':
    case 'minP':
    case 'typicalP':
      return words.setting[name](settings[name]);
    default:
      return name satisfies never;
  }
}

/** The penalties that are on. */
function penaltiesOf(settings: Settings): string {
  return penalties
    .filter((name) => settings[name] !== ranges[name].off)
    .map((name) => words.penalty[name](settings[name]))
    .join(', ');
}

const penalties = ['repetitionPenalty', 'frequencyPenalty', 'presencePenalty'] as const;
const filters = ['topK', 'topP', 'minP', 'typicalP'] as const;

/** Stages that are off; at temperature 0 the filters have nothing to do. */
function offStages(stages: readonly StageView[], settings: Settings): string[] {
  const on = new Set(stages.map(({ name }) => name));
  const names = settings.temperature === 0 ? (['penalties'] as const) : (['penalties', ...filters] as const);
  return names.filter((name) => !on.has(name)).map((name) => words.stage[name]);
}
