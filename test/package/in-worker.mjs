// A user's script: the engine in a worker, in Node, Deno or Bun (runtimes.ts). It prints what it saw, and must end by itself.
import { VitrineError } from 'vitrine';
import { EngineWorker } from 'vitrine/worker';

const [source, device] = process.argv.slice(2);
const engine = new EngineWorker();
const failure = (promise) =>
  promise.then(
    () => 'none',
    (error) => error,
  );
const model = await engine.load(source, { device });
const { ids } = await model.complete('The sea', { maxNewTokens: 6 });
const reason = new Error('changed my mind');
const writing = new AbortController();
const tokens = model.generate('The sea', { maxNewTokens: 100, eosTokenId: null, signal: writing.signal });
await tokens.next();
writing.abort(reason);
let ended;
do ended = await failure(tokens.next());
while (ended === 'none');
const trace = await model.trace(ids, { capture: ['hook_embed'] });
const absent = await failure(engine.load('./no-such-folder/'));
const broken = await failure(engine.load(source, { fetch: () => {} }));
const other = new EngineWorker();
const gone = failure(other.load(source));
other.terminate();
const said = {
  kind: model.device.kind,
  threads: model.device.threads,
  ids,
  aborted: ended === reason,
  embedded: trace.get('hook_embed').shape,
  absent: [absent instanceof VitrineError, absent.code],
  broken: broken.code,
  gone: (await gone).code,
};
console.log(JSON.stringify(said));
