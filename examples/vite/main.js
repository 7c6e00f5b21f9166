import { EngineWorker } from 'vitrine/worker';

const source = new URLSearchParams(location.search).get('model') ?? 'openai-community/gpt2';
const [text, go, stop, status] = ['text', 'continue', 'stop', 'status'].map((id) => document.getElementById(id));

const engine = new EngineWorker();
let model; // fetched at the first press, not before

const load = () =>
  engine.load(source, {
    onProgress: ({ stage, loaded, total }) => {
      status.textContent = `${stage}, ${Math.round((100 * loaded) / total || 0)} %`;
    },
  });

go.onclick = async () => {
  const abort = new AbortController();
  stop.onclick = () => abort.abort();
  go.disabled = true;
  stop.disabled = false;
  try {
    model ??= await load();
    status.textContent = `Writing on ${model.device.kind}`;
    for await (const token of model.generate(text.textContent, { maxNewTokens: 32, signal: abort.signal })) {
      text.textContent += token.text;
    }
    status.textContent = 'Done';
  } catch (error) {
    status.textContent = abort.signal.aborted ? 'Stopped' : error.message;
  }
  go.disabled = false;
  stop.disabled = true;
};
