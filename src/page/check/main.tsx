import '../styles/page.css';
import '../styles/check.css';
import { signal } from '@preact/signals';
import { render } from 'preact';
import type { DeviceReport, Rung } from '../../index.ts';
import { strings } from '../strings.ts';
import { currentTheme, followTheme, switchTheme } from '../theme.ts';
import { CopyButton } from '../views/copy-button.tsx';
import { Moon, Sun } from '../views/icons.tsx';
import { Ladder } from './ladder.tsx';
import { markdown } from './report.ts';
import { words } from './words.ts';
import type { Message } from './worker.ts';

const rungs = signal<Rung[]>([]);
const progress = signal<{ done: number; total: number } | undefined>(undefined);
const report = signal<DeviceReport | undefined>(undefined);
/** What ended the check before its report. */
const ended = signal<{ title: string; details: string; byVisitor?: true } | undefined>(undefined);
const worker = signal<Worker | undefined>(undefined);

function end(why?: typeof ended.value): void {
  worker.value?.terminate();
  worker.value = undefined;
  progress.value = undefined;
  ended.value = why;
}

function begin(): void {
  rungs.value = [];
  report.value = undefined;
  ended.value = undefined;
  const started = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
  worker.value = started;
  started.onerror = ({ message }) => end({ title: words.failed, details: message || words.noScript });
  started.onmessage = ({ data }: MessageEvent<Message>) => {
    switch (data.kind) {
      case 'rung':
        rungs.value = [...rungs.value, data.rung];
        progress.value = { done: data.done, total: data.total };
        return;
      case 'report':
        report.value = data.report;
        return end();
      case 'failed':
        return end({ title: data.code === 'no-webgpu' ? words.noGpu : words.failed, details: data.text });
      default:
        data satisfies never;
    }
  };
  started.postMessage(new URL('models/tiny-tales/', document.baseURI).href);
}

function Running() {
  if (!worker.value) return null;
  const { done, total } = progress.value ?? { done: 0, total: 0 };
  const text = total === 0 ? words.beginning : done + 1 >= total ? words.closing : words.running(done, total);
  return (
    <div class="check-status">
      <p>{text}</p>
      <progress max={total || 1} value={done} aria-label={words.title} />
    </div>
  );
}

function Ended() {
  if (worker.value || !ended.value) return null;
  return (
    <div class="verdict" data-passed={Boolean(ended.value.byVisitor)}>
      <h2>{ended.value.title}</h2>
      {ended.value.details && <p>{ended.value.details}</p>}
    </div>
  );
}

function Verdict({ report }: { report: DeviceReport }) {
  const { rungs, agreement, adapter, browser, software, passed, ms } = report;
  const wrong = rungs.filter((rung) => !rung.passed).length;
  const title = wrong > 0 ? words.differ(wrong, rungs.length) : passed ? words.agree(rungs.length) : words.disagree;
  return (
    <section class="verdict" data-passed={passed}>
      <h2>{title}</h2>
      {agreement && <p>{words.tokens(agreement.same, agreement.positions)}</p>}
      <p class="about">
        {adapter}, {words.took(ms)}
        <br />
        {browser}
      </p>
      {software && <p class="about">{words.software}</p>}
      {!passed && <p>{words.advice}</p>}
      <div class="copies">
        <CopyButton text={() => markdown(report)} title={words.markdown} label={words.markdown} done={words.copied} />
        <CopyButton
          text={() => JSON.stringify(report, null, 1)}
          title={words.json}
          label={words.json}
          done={words.copied}
        />
      </div>
    </section>
  );
}

function Page() {
  const dark = currentTheme() === 'dark';
  const other = dark ? strings.toLight : strings.toDark;
  const stop = () => end({ title: words.stopped(rungs.value.length), details: '', byVisitor: true });
  return (
    <>
      <header class="header">
        <a class="wordmark" href="./">
          {words.home}
        </a>
        <p class="tagline">{words.title}</p>
        <button type="button" class="quiet" onClick={switchTheme} title={strings.themeHint(other.toLowerCase())}>
          {dark ? <Sun /> : <Moon />}
          <span>{other}</span>
        </button>
      </header>
      <main class="check">
        <div class="ask">
          <h1>{words.question}</h1>
          <p>{words.lead}</p>
          {worker.value ? (
            <button type="button" class="plain" onClick={stop}>
              {words.stop}
            </button>
          ) : (
            <button type="button" class="primary" onClick={begin}>
              {report.value || ended.value ? words.again : words.begin}
            </button>
          )}
          <Running />
          {/* It is there before it is filled, or it would not be read out; how far the check is would be read without an end. */}
          <div class="told" role="status">
            <Ended />
            {report.value && <Verdict report={report.value} />}
          </div>
        </div>
        <Ladder rungs={rungs.value} />
      </main>
    </>
  );
}

followTheme();
render(<Page />, document.getElementById('page')!);
