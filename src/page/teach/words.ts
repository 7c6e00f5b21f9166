import { percent } from '../format.ts';
import type { Problem } from './table.ts';

/** Every word of *Teach it*. Translate this file. */

const whole = new Intl.NumberFormat('en');
const n = (value: number, digits = 3) => value.toFixed(digits).replace('-', '−');
const count = (value: number, one: string, more = `${one}s`) => `${whole.format(value)} ${value === 1 ? one : more}`;
const list = (all: readonly string[]) => new Intl.ListFormat('en').format(all);

/** How a gradient changes by a factor. */
function times(factor: number): string {
  if (!Number.isFinite(factor)) return 'leaves what float32 can hold';
  if (factor > 0.67 && factor < 1.5) return 'keeps its size';
  const size = factor > 1 ? factor : 1 / factor;
  const power = String(Math.floor(Math.log10(size))).replace(/\d/g, (digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]!);
  const much = size < 10 ? size.toFixed(1) : size < 1000 ? String(Math.round(size)) : `10${power}`;
  return factor > 1 ? `grows ${much} times` : `shrinks to 1/${much}`;
}

/** `12 s`, `3 min 20 s`. */
export function duration(seconds: number): string {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return `${rounded} s`;
  return `${Math.floor(rounded / 60)} min ${rounded % 60} s`;
}

export const words = {
  title: 'Teach it',
  lead: (name: string) =>
    `${name} learns from your own examples, here in this page. Its files stay as they are: what it learns is a small adapter beside them, which you can take off, keep and put on again.`,
  local:
    'Your examples never leave this device. Keep this tab in front while it learns: in the background browsers slow a page down.',
  slowed: 'This tab was in the background for a while, where browsers slow a page down.',

  examples: 'Examples',
  examplesLead: 'A text and its class in each line: two columns of CSV. Paste them, drop a file, or take the sample.',
  sample: 'Take the sample',
  chooseFile: 'Choose a CSV file',
  clear: 'Clear',
  csv: 'Examples as CSV, a text and its class in each line',
  placeholder: 'text,label\nThe puppy wagged its tail.,animals\n"Snow fell, softly.",weather',
  addText: 'A text of your own',
  addClass: 'Its class',
  add: 'Add',
  fileTooLarge: (name: string, bytes: string) => `${name} has ${bytes}. A page can learn from 2 MB of text at most.`,
  fileNoText: (name: string) => `${name} is no text. A CSV file has a text and its class in each line.`,
  found: (rows: number, classes: readonly { label: string; count: number }[]) =>
    `${count(rows, 'example')} of ${count(classes.length, 'class', 'classes')}: ${list(classes.map((one) => `${one.label} (${one.count})`))}.`,
  noHeader: 'No line names the columns, so the one with fewer different values is taken as the class.',
  empty: 'There are no examples yet.',
  oneClass: (label: string) =>
    `All examples are of one class, ${label}. Telling takes two classes at least: add examples of another one.`,
  tooFew: (labels: readonly string[]) => {
    const more = labels.length - 3;
    const named = list([...labels.slice(0, 3), ...(more > 0 ? [`${whole.format(more)} more`] : [])]);
    return labels.length === 1
      ? `The class ${named} has a single example, which can be learnt from but not judged by.`
      : `The classes ${named} have a single example each, which can be learnt from but not judged by.`;
  },
  manyClasses: (classes: number) =>
    `${whole.format(classes)} different classes are too many: is the second column really the class? At most 40 can be learnt here.`,
  leftOut: (rows: number) => `${count(rows, 'line')} left out:`,
  problem: (problem: Problem, areClasses = true) => {
    const at = `Line ${problem.line}`;
    const second = areClasses ? 'the class' : 'what becomes of it';
    switch (problem.what) {
      case 'columns':
        return problem.count === 1
          ? `${at} has one column. Write ${second} behind the text, with a comma between.`
          : `${at} has ${problem.count} columns. A text with commas stands in quotes: "Snow, and more snow",${areClasses ? 'weather' : 'and so on'}`;
      case 'no-text':
        return `${at} has no text.`;
      case 'no-class':
        return areClasses ? `${at} has no class.` : `${at} does not say what becomes of its text.`;
      case 'again':
        return `${at} repeats an example.`;
      case 'open-quote':
        return `${at} opens a quote that nothing closes, so what follows it could not be read.`;
      default:
        return problem satisfies never;
    }
  },
  moreProblems: (rest: number) => `and ${whole.format(rest)} more`,
  tooLong: (line: number, tokens: number, context: number) =>
    `Line ${line} has ${whole.format(tokens)} tokens, and the model reads ${whole.format(context)} at a time: its end is cut off.`,
  firstRows: 'The first examples as they were read',
  text: 'Text',
  class: 'Class',
  part: 'For',
  toLearn: 'learning',
  toJudge: 'judging',

  drawnLead:
    'Name two classes or more, and draw some pictures of each: whatever can be told apart. Or take the sample: digits that somebody wrote, by whether their line closes.',
  picturesLead: 'Name two classes or more, and choose or drop some pictures of each.',
  withHole: 'with a hole',
  withoutHole: 'without a hole',
  sampleDigit: (digit: number, index: number) => `A handwritten ${digit}, number ${index + 1}`,
  samplesFailed: 'The samples could not be fetched.',
  drawing: (number: number, name: string) => `Drawing ${number}, ${name}`,
  addDrawing: 'Add the drawing',
  choosePictures: 'Choose pictures',
  ofClass: (what: string, name: string) => `${what}: ${name}`,
  newClass: 'A new class',
  addNewClass: 'Add the class',
  removeClass: 'Remove the class',
  remove: (picture: string) => `Remove: ${picture}`,
  mostPictures: (most: number) => `A page can learn from ${whole.format(most)} pictures at most.`,
  noPicture: (name: string, why: string) => `${name} could not be read: ${why}`,

  pairsLead: 'A text and what it is to become in each line: two columns of CSV. Paste them, or drop a file.',
  datesLead:
    'A text and what it is to become in each line: two columns of CSV. The sample teaches another way to write dates: the day first, with dots.',
  pairsField: 'Examples as CSV, a text and what it becomes in each line',
  pairsPlaceholder: 'source,target\n3 March 2019,03.03.2019\n"May 7, 1984",07.05.1984',
  foundPairs: (pairs: number, judged: number) =>
    `${count(pairs, 'pair')}${judged ? `; ${judged} of them are kept for judging` : ''}.`,
  fewPairs: 'Give it two pairs at least.',
  becomes: 'What it makes of a text',
  becomesNote: 'The same text; once without what it learnt, once with it.',
  becomesText: 'A text to read',

  style: 'A text to learn from',
  styleLead: (name: string) =>
    `Paste a text, and ${name} learns to go on in its style. Blank lines part it into pieces.`,
  styleField: 'The text whose style is learnt',
  sampleTale: 'Take a sample',
  chooseText: 'Choose a text file',
  stylePieces: (pieces: number, tokens: number, judged: number) =>
    `${count(pieces, 'piece')}, ${whole.format(tokens)} tokens${judged ? `; ${judged} of the pieces are kept for judging` : ''}.`,
  styleCut: (tokens: number, most: number) =>
    `The text has ${whole.format(tokens)} tokens; the first ${whole.format(most)} are learnt from, to keep it a matter of minutes.`,
  styleShort: 'Give it two pieces at least, some sentences each.',

  how: 'How it learns',
  methods: {
    lora: 'Low-rank changes in all of its layers (LoRA), and a last layer',
    head: 'A new last layer alone: quick, and nothing inside changes',
  },
  loraOnly: 'Low-rank changes in all of its layers (LoRA).',
  headOnly: 'This model has a head of its own, so a new last layer is what it can learn here.',
  share: 'Kept for judging',
  rounds: 'Rounds',
  roundsMeaning: 'How often all examples are learnt from',
  rank: 'Rank',
  rankMeaning: 'Rows of the two narrow matrices of each change',
  rate: 'Learning rate',
  rateMeaning: 'How far a step goes; it falls to 0 in the end',

  teach: 'Teach it',
  again: 'Teach it again',
  stop: 'Stop and keep',
  begins: 'Reading the examples…',
  progress: (step: number, steps: number, round: number, rounds: number) =>
    `Step ${whole.format(step)} of ${whole.format(steps)}, round ${round} of ${rounds}`,
  speed: (perSecond: number) => `${whole.format(Math.round(perSecond))} tokens/s`,
  left: (seconds: number) => `about ${duration(seconds)} left`,
  ended: (steps: number) => `Learnt in ${count(steps, 'step')}. It is on now.`,
  stopped: (steps: number) => `Stopped after ${count(steps, 'step')}. What it learnt until then is kept, and on.`,
  stoppedEarly: 'Stopped before the first step: nothing was learnt.',
  failed: (why: string) => `Learning ended: ${why}`,
  diverged: 'The loss is no finite number any more: the steps were too large. Take a smaller learning rate.',
  kept: 'What was learnt until then is kept, and on.',

  curve: 'Loss',
  curveNote: {
    classes:
      'How surprised the model is by the right class: 0 is sure and right. The line is each step’s examples, the dots those kept for judging.',
    pairs:
      'How surprised the model is by each next token of what a text becomes. The line is each step’s pairs, the dots those kept for judging.',
    style:
      'How surprised the model is by each next token of the text. The line is each step’s pieces, the dots those kept for judging.',
  },
  curveLabel: (steps: number, first: number, last: number, judged: number | undefined) =>
    `Loss over ${count(steps, 'step')}: from ${n(first)} to ${n(last)}${judged === undefined ? '' : `; of the examples kept for judging ${n(judged)}`}.`,
  curveAt: (step: number, loss: number, judged: number | undefined) =>
    `Step ${step + 1}: ${n(loss)}${judged === undefined ? '' : `, judged ${n(judged)}`}`,
  guess: (loss: number) => `guessing, ${n(loss, 2)}`,
  step: 'Step',
  lossOfStep: 'of the step',
  lossJudged: 'judged',

  confusion: 'What it tells apart',
  confusionNote:
    'Of the examples kept for judging: rows are what they are, columns what it says. Choose a mistake to see its examples.',
  accuracy: (right: number, all: number) => `${right} of ${all} right, ${percent(right / all)}`,
  chance: (share: number) => `always saying the commonest class would be ${percent(share)}`,
  is: 'is',
  says: 'it says',
  cell: (is: string, says: string, value: number) =>
    is === says ? `${value} ${is}, rightly told` : `${count(value, 'example')} of ${is}, told as ${says}`,
  mistakes: 'Mistakes',
  noMistakes: 'No mistakes among them.',
  mistake: (is: string, says: string) => `is ${is}, it says ${says}`,
  allMistakes: 'All mistakes',

  tryIt: 'Try a text of your own',
  tryDrawing: 'Try a drawing of your own',
  tryPicture: 'Try a picture of your own',
  triedPicture: 'The picture that is tried',
  tryField: 'A text',
  tryOpening: 'The kitten ran out into the snow.',
  tryLead: 'It answers with what it has learnt so far.',
  tryMidway: 'See how it writes by now',
  untaught: 'Nothing is learnt yet, so there are no classes to tell.',

  before: 'Before',
  after: 'After',
  goesOn: 'How it goes on',
  goesOnNote: 'The same beginning, seed and dials; once without what it learnt, once with it.',
  beginning: 'A beginning',
  beginningOpening: 'Lily had a cat.',
  anotherSeed: 'Another seed',
  perplexity: (value: number) =>
    `Perplexity of what is kept for judging: ${value < 1000 ? value.toFixed(1) : whole.format(Math.round(value))}`,

  map: 'Where the examples lie',
  mapNote:
    'Each mark is an example as the model sees it, flattened onto the two directions that part them most. Outlined ones are learnt from, filled ones are kept for judging.',
  mapLabel: (which: string) => `${which}: the examples as points`,
  nearest: (right: number, all: number) => `${right} of ${all} kept examples have a neighbour of their own class`,

  moved: 'Which heads moved',
  movedNote: (text: string) =>
    `For “${text}”: how many percent of each head’s attention go elsewhere than before, in the mean of the tokens. A row a block. Choose a head to see it before and after.`,
  movedPictureNote:
    'For the picture that is tried: how many percent of each head’s attention go elsewhere than before, in the mean of the patches. A row a block. Choose a head to see how much of each patch the class token takes up, before and after.',
  movedNoPicture: 'Try a picture to see which heads look elsewhere.',
  movedNothing: 'A new last layer was learnt alone, so nothing inside moved.',
  movedHead: (layer: number, head: number, share: number) =>
    `Block ${layer}, head ${head}: ${percent(share)} elsewhere`,
  movedMost: (layer: number, head: number, share: number) =>
    `Head ${head} of block ${layer} moved most: ${percent(share)} of its attention.`,
  block: (layer: number) => `Block ${layer}`,
  change: 'Change',
  pattern: (which: string) => `${which}: from each token, a row, to each other`,
  picturePattern: (which: string) => `${which}: what the class token reads of each patch`,
  looks: (from: string, to: string) => `${from} → ${to}`,

  keep: 'Keep what it learnt',
  on: 'On',
  onMeaning: 'Everything on this page uses what it learnt',
  keepLead: 'An adapter in the format of Hugging Face’s peft. It fits this model alone.',
  headLead: 'A last layer has no form in peft: it is kept as head.json and head.safetensors.',
  download: (name: string) => `Download ${name}`,
  saveAs: 'A name for it',
  saveName: (name: string) => `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-taught`,
  save: 'Keep in this browser',
  saved: (name: string) => `Kept as ${name}.`,
  notSaved: (why: string) => `It could not be kept: ${why}`,
  loadTitle: 'Put on what was learnt before',
  loadFiles: 'Choose an adapter’s files',
  loaded: (name: string) => `${name} is on.`,
  notLoaded: (why: string) => `It could not be put on: ${why}`,

  depthTitle: 'Lesson: what add and norm are for',
  depthSummary: 'How learning reaches the first block, and how it would not.',
  depthLead:
    'To learn, the error at the end is carried back through all blocks as a gradient. Here its size before each block is measured in the running model; then once more in the same model built without the sums around attention and MLP (the residual paths), without its norms, and without both.',
  depthWhich: 'Which model',
  depthOpen: (layers: number) => `The open model, ${layers} blocks`,
  depthSeeded: (layers: number) => `Untaught, ${layers} blocks`,
  depthRuns: 'Running it four times, forward and back…',
  depthText: 'Once upon a time there was a little girl who liked to play in the park.',
  depthVariants: {
    whole: 'as it is',
    residuals: 'without sums',
    norms: 'without norms',
    both: 'without both',
  },
  depthChart: 'The gradient’s size before each block, by powers of ten',
  depthTable: 'The gradient’s size (root mean square)',
  depthSays: (ratio: Record<'whole' | 'residuals' | 'norms' | 'both', number>, blocks: number) =>
    `From the last of ${blocks} blocks back to the first the gradient ${times(ratio.whole)}. Without the sums it ${times(ratio.residuals)}, without the norms it ${times(ratio.norms)}, without both it ${times(ratio.both)}.`,
  depthWhy:
    'A sum passes the gradient on unchanged, whatever the block does to it. A norm keeps numbers at one size, so that what a block adds cannot pile up. Without sums and norms each block multiplies the gradient by about the same factor, and forty-eight factors below 1 leave nothing of it. With norms alone it survives here, but what a block gets has gone through all others; with sums alone it grows beyond all bounds. That is why deep stacks have both (He et al. 2015, Ba et al. 2016). “Untaught” is a GPT-2 of random weights, 48 numbers wide, drawn by a seed.',

  classesInstead: 'Or teach Tiny Blanks to sort texts into classes',
};
