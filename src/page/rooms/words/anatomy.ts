/** Words that several rooms use. Translate this file. */
export const words = {
  headAt: (layer: number, head: number) => `Block ${layer}, head ${head}`,
  heads: 'Heads, a row a block',
  failed: (why: string) => `This could not be run: ${why}`,
  tooLong: 'The text is longer than what this model can read at a time. Take some of it away.',
  reading: 'The model reads…',
  stop: 'Stop',
  blocksTitle: 'Block by block',
  blocksSummary: 'Every tensor of a block in the order in which it is computed.',
  stacks: { blocks: 'Blocks', encoder: 'Encoder', decoder: 'Decoder' },
  stack: 'Part',
  block: 'Block',
  head: 'Head',
  rows: (name: string) => `${name}, a row a token`,
  looks: (from: string, to: string) => `“${from}” → “${to}”:`,
  at: (token: string, column: number) => `“${token}” [${column}]:`,
  token: (index: number, text: string) => `Token ${index}: ${text}`,
  reads: 'What reads',
  lines: (layer: number, head: number) => `What block ${layer}, head ${head} reads, as lines`,
  matrix: (layer: number, head: number) =>
    `Shares of block ${layer}, head ${head}: what reads downwards, what is read across`,
  try: 'Try',
};

const plain: readonly [pattern: RegExp, name: string][] = [
  [/hook_resid_pre$/, 'What comes in'],
  [/cross_attn\.hook_q$/, 'Queries to the other text'],
  [/cross_attn\.hook_k$/, 'Keys of the other text'],
  [/cross_attn\.hook_v$/, 'Values of the other text'],
  [/hook_q$/, 'Queries'],
  [/hook_k$/, 'Keys'],
  [/hook_v$/, 'Values'],
  [/hook_rot_q$/, 'Queries, turned by position'],
  [/hook_rot_k$/, 'Keys, turned by position'],
  [/hook_attn_scores$/, 'Products of queries and keys'],
  [/hook_pattern$/, 'Shares'],
  [/hook_z$/, 'Values in these shares'],
  [/hook_cross_attn_out$/, 'What reading the other text gives'],
  [/hook_attn_out$/, 'What attention gives'],
  [/hook_scale$/, 'Spread, which the norm divides by'],
  [/hook_resid_(mid|mid_cross)$/, 'The sum'],
  [/hook_normalized_resid_post$/, 'The sum after its norm: what goes out'],
  [/hook_resid_post$/, 'The sum with the MLP'],
  [/hook_normalized$/, 'After the norm'],
  [/mlp\.hook_pre(_linear)?$/, 'The MLP’s neurons'],
  [/mlp\.hook_post$/, 'Neurons after the activation'],
  [/hook_mlp_out$/, 'What the MLP gives'],
];

/** What a tensor is, in words. */
export const plainName = (hook: string): string => plain.find(([pattern]) => pattern.test(hook))?.[1] ?? hook;
