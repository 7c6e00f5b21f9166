import '../../src/page/styles/page.css';
import './bench.css';
import type { Source } from '../../src/index.ts';
import { formats, type Job, type Machine, type Measured, type Message } from './protocol.ts';
import { type Shape, shapes } from './seeded-model.ts';
import { table, variantTable } from './table.ts';
import type { VariantTimes } from './variants.ts';

/** A part of bench.html. */
const part = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [form, status, result, copy, begin] = [
  part<HTMLFormElement>('settings'),
  part<HTMLElement>('status'),
  part<HTMLElement>('result'),
  part<HTMLButtonElement>('copy'),
  part<HTMLButtonElement>('begin'),
];
const shape = part<HTMLSelectElement>('shape');
const files = part<HTMLInputElement>('files');
const thorough = part<HTMLInputElement>('thorough');
const variants = part<HTMLInputElement>('variants');
const download = part<HTMLButtonElement>('download');

for (const name of Object.keys(shapes)) shape.add(new Option(name));

/** What the button hands over: shaped like the runs in docs/benchmarks. */
interface Report {
  title: string;
  model: string;
  machine: Machine | undefined;
  plan: Job['plan'];
  rows: Measured[];
  variants: VariantTimes[];
}

let report: Report | undefined;

function chosen(): { name: string; model: Source | Shape } {
  if (files.files?.length) return { name: 'files', model: [...files.files] };
  const name = shape.value as keyof typeof shapes;
  return { name, model: shapes[name] };
}

function start(): void {
  const { name, model } = chosen();
  const repeats = thorough.checked ? 5 : 3;
  const plan = { prefill: [64, 256, 1000], decode: [16, 512, 1000], decodeTokens: thorough.checked ? 24 : 16, repeats };
  const wanted = formats.filter((format) => part<HTMLInputElement>(format).checked);
  const current: Report = {
    title: 'In a visitor’s browser',
    model: name,
    machine: undefined,
    plan,
    rows: [],
    variants: [],
  };
  report = current;
  begin.disabled = true;
  copy.disabled = true;
  download.disabled = true;
  result.replaceChildren();
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  const end = (text: string) => {
    worker.terminate();
    status.textContent = text;
    begin.disabled = false;
    copy.disabled = current.rows.length === 0;
    download.disabled = copy.disabled;
  };
  worker.onerror = (event) => end(`The worker failed: ${event.message}`);
  worker.onmessage = ({ data }: MessageEvent<Message>) => {
    switch (data.kind) {
      case 'machine':
        current.machine = data.machine;
        part('adapter').textContent = aboutMachine(data.machine);
        break;
      case 'progress':
        status.textContent = data.text;
        break;
      case 'row':
        current.rows.push(data.row);
        show(current);
        break;
      case 'variant':
        current.variants.push(data.variant);
        show(current);
        break;
      case 'failed':
        return end(data.text);
      case 'done':
        return end('Done.');
      default:
        data satisfies never;
    }
  };
  worker.postMessage({ model, formats: wanted, variants: variants.checked, plan } satisfies Job);
}

function show({ rows, plan, variants }: Report): void {
  result.replaceChildren(table(rows, plan), ...(variants.length > 0 ? [variantTable(variants)] : []));
}

/** The report as a file, named by machine and day. */
function save({ machine, ...more }: Report): void {
  const url = URL.createObjectURL(
    new Blob([JSON.stringify({ machine, ...more }, null, 2)], { type: 'application/json' }),
  );
  const words = `vitrine ${machine?.adapter} ${machine?.date}`.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  Object.assign(document.createElement('a'), { href: url, download: `${words}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser reads it in its own time
}

function aboutMachine({ adapter, software }: Machine): string {
  return software ? `${adapter}. No real GPU: the figures below say how fast the processor is.` : adapter;
}

download.addEventListener('click', () => report && save(report));
form.addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
copy.addEventListener('click', async () => {
  await navigator.clipboard.writeText(JSON.stringify(report, null, 2));
  status.textContent = 'Copied.';
});
