import type { Activation } from '../../../plan/plan.ts';

type Value = string | number;

/** In the place of the induction head where there is none. */
const noRepetition = 'no';

/**
 * The words of the lessons. What stands between backticks is a tensor's hook name, drawn as a link to its picture; N is the
 * block looked at. Steps take the numbers that `lessons.ts` reads from the running model.
 */
export const words = {
  title: 'Lessons',
  intro: 'Two minutes each, on your own text; each stands on those before it.',
  stepOf: (step: number, steps: number) => `${step} of ${steps}`,
  previous: 'Back',
  next: 'Next',
  done: 'Done',
  close: 'Close the lesson',
  measuring: (done: number, total: number) => `Measuring: ${done} of ${total}`,
  reading: 'Reading the numbers…',
  failed: (why: string) => `The numbers of this step could not be read: ${why}`,
  aside: 'Your own changes of the model wait until the lesson is closed.',
  pointAt: (tensor: string) => `Show ${tensor}`,
  repeatedText: 'Tom had a green kite and a small drum. Tom had a green kite and a small',
  noRepetition,
  curves: { gelu_new: 'GELU', gelu: 'GELU', relu: 'ReLU', silu: 'SiLU', tanh: 'tanh' } satisfies Record<
    Activation,
    string
  >,

  lessons: {
    tokens: {
      title: 'Tokens',
      steps: [
        (letters: Value, count: Value, last: Value, id: Value) =>
          letters === 0
            ? `There is no text yet, so the model gets the one token that begins a text, “${last}”, number ${id} of its vocabulary. Write something: it becomes tokens, pieces of words, each a row of \`hook_embed\`.`
            : `The model does not see letters. Your ${letters === 1 ? 'one character' : `${letters} characters`} became ${count === 1 ? 'one token' : `${count} tokens`}: pieces that were frequent in the text the vocabulary was made from. The last one, “${last}”, is number ${id} of the vocabulary, and that number is all the model gets. Each row of \`hook_embed\` belongs to one token.`,
      ],
    },
    embeddings: {
      title: 'Embeddings',
      steps: [
        (width: Value, token: Value) =>
          `Each token’s number picks a row of a table: ${width} learned numbers. In \`hook_embed\` the row of “${token}” is outlined. Tokens that are used alike have similar rows; the list of nearest tokens compares the directions of all of them.`,
      ],
    },
    positions: {
      title: 'Positions',
      steps: [
        (at: Value) =>
          `Without help, the model could not tell “dog bites man” from “man bites dog”. So every position has learned numbers too: \`hook_pos_embed\`. You look at position ${at}. Neighbouring rows look alike, which lets heads ask for “the token just before”.`,
        (token: Value, place: Value) =>
          `Both are simply added: \`blocks.0.hook_resid_pre\` is what the first block reads. For this token the embedding has length ${token}, the position ${place}. Choose any cell of the sum to see its two terms.`,
      ],
    },
    residual: {
      title: 'The residual stream, and its norm',
      steps: [
        (before: Value, after: Value) =>
          `A token’s numbers on their way through the blocks are the residual stream. A block never overwrites it: it reads \`blocks.N.hook_resid_pre\`, and adds what attention and the MLP make of it. For this token the stream has length ${before} before the block and ${after} after it, \`blocks.N.hook_resid_post\`.`,
        (scale: Value, norm: Value) =>
          `Before each part reads the stream, ${norm === 'rms' ? 'RMSNorm divides it by the root of its mean square' : 'LayerNorm takes away its mean and divides by its standard deviation'}, here ${scale} (\`blocks.N.ln1.hook_scale\`). \`blocks.N.ln1.hook_normalized\` is the same vector at a size the weights were trained for.`,
      ],
    },
    queries: {
      title: 'Queries, keys and values',
      steps: [
        (width: Value, head: Value) =>
          `Attention lets a token take over something of the tokens before it. For that, head ${head} makes three vectors of ${width} numbers from every token. The query, \`blocks.N.attn.hook_q\`, is what the token looks for.`,
        () =>
          'The key, `blocks.N.attn.hook_k`, is what the token offers to be found by. Query times key, number by number and summed, is the score of a pair: `blocks.N.attn.hook_attn_scores`. Choose a cell there to see the product.',
        () => 'The value, `blocks.N.attn.hook_v`, is what is handed over once the token is found.',
      ],
    },
    attention: {
      title: 'Masked attention',
      steps: [
        (from: Value, to: Value, share: Value) =>
          `Each token shares its attention out among itself and those before it, and takes over that much of each. A row of \`blocks.N.attn.hook_pattern\` is a token that looks, a column one that is looked at. What comes later is masked: the model may not see what it has to predict. Softmax makes each row sum to 1. From “${from}”, this head looks most at “${to}”: ${share}.`,
        () =>
          'In those shares the values are added up: `blocks.N.attn.hook_z` is what the head brings back, and its projection, with that of the other heads, is `blocks.N.hook_attn_out`.',
      ],
    },
    heads: {
      title: 'Many heads',
      steps: [
        (count: Value) =>
          `This model has ${count} heads, and the overview draws \`blocks.N.attn.hook_pattern\` of each for your text. Some look at the token before, some at the first token when they find nothing, some at words of one kind. Choose one to open it.`,
      ],
    },
    mlp: {
      title: 'The MLP and its neurons',
      steps: [
        (neurons: Value, active: Value, best: Value, value: Value, curve: Value) =>
          `The MLP (multi-layer perceptron) looks at one token alone: ${neurons} neurons each ask a question of it, and the curve ${curve} keeps the answers that are positive. For this token ${active} are above 0.1 in \`blocks.N.mlp.hook_post\`; the strongest is neuron ${best}, at ${value}.`,
        () =>
          'Every neuron that fires adds its own learned direction to the stream: summed, they are `blocks.N.hook_mlp_out`. Much of what a model knows is kept here.',
      ],
    },
    logits: {
      title: 'Logits and temperature',
      steps: [
        (vocabulary: Value, best: Value, share: Value) =>
          `At the end the stream is compared with a row for each of all ${vocabulary.toLocaleString('en')} tokens: the \`logits\`, one score each. Softmax makes them probabilities. “${best}” comes first, with ${share} at temperature 1.`,
        () =>
          'Temperature divides the logits before softmax: below 1 the likely become likelier, above 1 the choice opens up, at 0 the first always wins. Move the temperature under Dials, beside your text, and watch the stages of `logits` change.',
      ],
    },
    induction: {
      title: 'An induction head, found live',
      steps: [
        () =>
          'The text is now a sentence that begins to repeat itself (Undo brings yours back). Some heads notice: from a token that was there before, they look at what followed it then. In the overview’s `blocks.N.attn.hook_pattern` that is a diagonal stripe off the main one.',
        (head: Value, layer: Value, score: Value, even: Value) =>
          head === noRepetition
            ? 'Nothing in your text comes twice now, so no head has anything to find. Write a word of it again, or begin the lesson anew. `blocks.N.attn.hook_pattern` is where it would be seen.'
            : `All heads were measured: head ${head} of block ${layer} does it most. On average ${score} of its attention goes from a repeated token to the one that came after it before; a head that looks everywhere alike would give ${even}. Its \`blocks.N.attn.hook_pattern\` is open, at the token where it is strongest. A small model’s best may be faint.`,
      ],
    },
    knockOut: {
      title: 'An experiment: knock out a head',
      steps: [
        (token: Value, before: Value, head: Value, layer: Value, after: Value) =>
          `The likeliest next token is “${token}”, with ${before}. Every head was silenced in turn, its \`blocks.N.attn.hook_z\` set to 0: without head ${head} of block ${layer} the token would have ${after}, the largest loss.`,
        (head: Value, layer: Value) =>
          `Head ${head} of block ${layer} is now knocked out: its \`blocks.N.attn.hook_z\` is multiplied by 0. Compare the two columns, and look through the other pictures: all show the changed run.`,
        () =>
          'And now it is back. That a part is needed for an answer does not say what it does, but it says where to look next. `blocks.N.attn.hook_pattern` shows what the head attends to.',
      ],
    },
  },
};
