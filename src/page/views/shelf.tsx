import { apple } from '../keys.ts';
import { openAddress } from '../link.ts';
import { loading, shown } from '../models.ts';
import { strings } from '../strings.ts';
import {
  canRedo,
  canRewrite,
  canUndo,
  completeOrStop,
  phase,
  redo,
  reset,
  rewrite,
  run,
  shownText,
  undo,
} from '../writing.ts';
import { CopyButton } from './copy-button.tsx';

/** The edge the text stands on: it shows progress along its line, and carries the actions and the figures. */
export function Shelf() {
  const busy = phase.value !== 'idle';
  const empty = shownText.value === '';
  return (
    <div class="shelf">
      <Line />
      <div class="actions">
        <button type="button" class="primary" onClick={press} data-busy={busy}>
          {busy ? strings.stop : strings.complete}
          <kbd>{busy ? strings.stopKey : apple ? strings.completeKeyApple : strings.completeKey}</kbd>
        </button>
        <button type="button" class="quiet" onClick={rewrite} disabled={!canRewrite.value} title={strings.anotherHint}>
          {strings.another}
        </button>
        <button type="button" class="quiet" onClick={undo} disabled={!canUndo.value} title={strings.undoHint}>
          {strings.undo}
        </button>
        <button type="button" class="quiet" onClick={redo} disabled={!canRedo.value} title={strings.redoHint}>
          {strings.redo}
        </button>
        <CopyButton
          text={() => shownText.value}
          label={strings.copy}
          done={strings.copied}
          title={strings.copyHint}
          disabled={empty}
        />
        <button type="button" class="quiet" onClick={reset} disabled={busy} title={strings.resetHint}>
          {strings.reset}
        </button>
      </div>
      <Figures />
    </div>
  );
}

/** What is pressed right after a link was followed goes on from that link's text. */
function press(): void {
  openAddress();
  completeOrStop();
}

export function Line() {
  if (!loading.value) return <div class="line" data-running={phase.value === 'running'} />;
  const { name, progress } = loading.value;
  const done = progress?.total ? progress.loaded / progress.total : 0;
  return (
    <div
      class="line"
      role="progressbar"
      aria-label={strings.loading(name)}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(done * 100)}
    >
      <div style={{ '--done': done }} />
    </div>
  );
}

function Figures() {
  if (loading.value) return <LoadFigures />;
  const last = run.value;
  if (!last) return <p class="figures">{shown.value ? strings.local : ''}</p>;
  const { tokens, tokensPerSecond, seed, finishReason, edits } = last;
  const ending = finishReason && finishReason !== 'length' ? strings.finish[finishReason] : undefined;
  const parts = [
    tokens || phase.value !== 'running' ? strings.ran(tokens) : strings.reading,
    tokensPerSecond && strings.speed(tokensPerSecond),
    seed === undefined ? strings.greedyUsed : strings.seedUsed(seed),
    edits.length > 0 && strings.changesUsed,
    ending,
  ];
  return (
    <p class="figures">
      {parts.filter(Boolean).map((part) => (
        <span>{part}</span>
      ))}
    </p>
  );
}

/** What is being loaded, how far it is, and the way to leave it. */
export function LoadFigures() {
  if (!loading.value) return null;
  const { name, progress, cancel } = loading.value;
  return (
    <p class="figures">
      <span>{strings.loading(name)}</span>
      {progress && <span>{strings.loaded(progress.loaded, progress.total)}</span>}
      <button type="button" class="quiet" onClick={cancel}>
        {strings.cancel}
      </button>
    </p>
  );
}
