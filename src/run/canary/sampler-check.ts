import type { Drawn, DrawSettings, Program, Row } from '../../plan/backend.ts';
import { tokenScores } from '../../plan/token-scores.ts';
import { uniform } from '../random.ts';
import { distribution } from '../sampling.ts';
import { compared, type Finding } from './finding.ts';

const greedy: DrawSettings = {
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  logitBias: new Map(),
  seed: [0, 0],
  sequence: 0,
  topLogprobs: 5,
  ends: [],
};
/** The sampler's sums are in float32, and logits of the same number may be told in either order. */
const tolerance = { mean: 1e-4, worst: 1e-3 };

/** The kernels that draw a token and those that judge one, on logits that the GPU itself made of `row`. */
export async function checkSampler(program: Program, row: Row, logits: Float32Array): Promise<Finding[]> {
  const findings: Finding[] = [];
  let start = performance.now();
  const add = (op: string, found: number[], expected: number[]) => {
    const ms = performance.now() - start;
    findings.push({ op, rows: 'one', kernel: 'other', ms, ...compared(found, expected, tolerance) });
    start = performance.now();
  };

  const target = Math.floor(Math.random() * logits.length);
  const scores = ({ logprob, rank, entropy }: { logprob: number; rank: number; entropy: number }) => [
    logprob,
    rank,
    entropy,
  ];
  const judged = await program.run({ rows: [row], logitRows: [0], targets: [target] });
  add('token scores', scores(judged.scores[0]!), scores(tokenScores(logits, [target])[0]!));

  if (program.decode) {
    const draw = async (settings: DrawSettings) => {
      const drawn: Drawn[] = [];
      const request = { rows: [row], prompt: [row.token], generated: [], limit: 1, settings };
      for await (const some of program.decode!(request)) drawn.push(...some);
      return drawn[0]!;
    };
    const sorted = [...logits.slice().sort().slice(-greedy.topLogprobs)].reverse();
    const all = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - sorted[0]!), 0)) + sorted[0]!;
    const { id, logprob, top } = await draw(greedy);
    add(
      'greedy choice',
      [logits[id]!, logprob, ...top.map((one) => one.logprob), ...top.map((one) => logits[one.id]!)],
      [sorted[0]!, sorted[0]! - all, ...sorted.map((logit) => logit - all), ...sorted],
    );
    const seed = Math.floor(Math.random() * 2 ** 32);
    const random = await draw({ ...greedy, temperature: 0.8, topK: 40, topP: 0.9, seed: [seed, 0] });
    const probs = distribution(logits, { temperature: 0.8, topK: 40, topP: 0.9 });
    // Where the token's part of the distribution begins and ends, which the random number must lie in.
    const start = probs.subarray(0, random.id).reduce((sum, p) => sum + p, 0);
    const u = uniform(seed, 0);
    const off = Math.max(start - u, u - (start + (probs[random.id] ?? 0)), 0);
    add('random choice', [1 + off, random.logprob], [1, logits[random.id]! - all]);
  }
  return findings;
}
