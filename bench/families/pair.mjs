// In a page: two engines, each in a worker of its own, run the same inputs by turns.
import { randomText } from '../measure.mjs';

/** Milliseconds after which a way is not run again; one whose first run took longer has that alone. */
const patience = 30_000;
/** Milliseconds for the other side's threads to fall asleep. */
const pause = 100;

function startSide(job) {
  const worker = new Worker(new URL('./side.mjs', import.meta.url), { type: 'module' });
  const waiting = new Map();
  let last = 0;
  worker.onmessage = ({ data: { id, result, error } }) => {
    const { resolve, reject } = waiting.get(id);
    waiting.delete(id);
    error === undefined ? resolve(result) : reject(new Error(`${job.adapter}: ${error}`));
  };
  worker.onerror = ({ message }) => {
    for (const { reject } of waiting.values()) reject(new Error(`${job.adapter}: ${message}`));
  };
  return (call, ...args) =>
    new Promise((resolve, reject) => {
      waiting.set(++last, { resolve, reject });
      worker.postMessage({ id: last, call, args });
    });
}

/** What a case runs: texts of ids, texts of the words given, or pixels. */
function inputOf({ lengths, vocabulary, shape, tokens, beams }, words) {
  if (shape) {
    const count = shape.reduce((product, axis) => product * axis);
    const drawn = randomText(
      count,
      1,
      Array.from({ length: 256 }, (_, i) => [i, '']),
    );
    return { shape, pixels: Float32Array.from(drawn.ids, (byte) => byte / 127.5 - 1) };
  }
  const known = words
    ? words.map((word, i) => [i, word])
    : Array.from({ length: vocabulary - 1000 }, (_, i) => [1000 + i, '']);
  const texts = lengths.map((length, i) => {
    // The tokenizer adds two tokens.
    const { ids } = randomText(words ? length - 2 : length, i + 1, known);
    return words ? ids.map((id) => words[id]).join(' ') : ids;
  });
  return { texts, tokens, beams };
}

/** The largest difference of two lists of vectors, or of ids. */
function difference(ours, theirs) {
  if (ours.length !== theirs.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  for (const [i, vector] of ours.entries()) {
    if (vector.length !== theirs[i].length) return Number.POSITIVE_INFINITY;
    for (const [j, value] of vector.entries()) most = Math.max(most, Math.abs(value - theirs[i][j]));
  }
  return most;
}

/**
 * @param job of both: kind, source, device, format, dtype, threads, words, repeats, and whether to `profile`
 * @returns a row for each case: ms of each way, and how far the others' results are from the first's
 */
export async function runPair({ cases, words, repeats, profiles, adapters, ...job }) {
  const sides = adapters.map((adapter) => ({ adapter, ask: startSide({ adapter }), about: '', ways: [] }));
  for (const side of sides) Object.assign(side, await side.ask('open', { ...job, adapter: side.adapter }));
  const rows = [];
  for (const one of cases) {
    const row = { name: one.name, ways: {} };
    rows.push(row);
    const input = inputOf(one, words);
    let expected;
    const left = sides.flatMap(({ ask, adapter, ways }) => ways.map((way) => ({ ask, adapter, way, spent: 0 })));
    const isUsed = new Set();
    for (const turn of left) {
      const { ms, found } = await turn.ask('run', turn.way, input);
      console.log(`${one.name}, ${turn.way}: first ${ms.toFixed(0)} ms`);
      if (!found) continue;
      isUsed.add(turn);
      turn.spent = ms;
      expected ??= found;
      // Nothing to compare where beams choose otherwise than copies of a text.
      const compared = one.beams > 1 ? undefined : difference(expected, found);
      const only = ms < patience ? [] : [ms];
      row.ways[turn.way] = { adapter: turn.adapter, first: ms, ms: only, busyMs: [], difference: compared };
    }
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const turn of left.filter((turn) => isUsed.has(turn) && turn.spent < patience)) {
        await new Promise((resolve) => setTimeout(resolve, pause));
        const busySince = await globalThis.busyMs();
        const { ms } = await turn.ask('run', turn.way, input);
        row.ways[turn.way].ms.push(ms);
        if (busySince !== undefined) row.ways[turn.way].busyMs.push((await globalThis.busyMs()) - busySince);
        turn.spent += ms;
      }
      console.log(`${one.name}: ${Object.values(row.ways).map(({ ms }) => ms.at(-1)?.toFixed(1))}`);
    }
    const [{ ask, ways }] = sides;
    if (profiles) row.profile = await ask('profile', input, 5);
    if (job.device === 'webgpu') row.counts = await ask('count', ways[0], input);
  }
  for (const { ask } of sides) await ask('close');
  return { about: sides.map(({ about }) => about), rows };
}
