import type { Course } from './course.ts';
import { words } from './words.ts';

/** How far the run is; a screen reader hears its beginning and its end. */
export function Progress({ run }: { run: Course }) {
  const last = run.steps.at(-1);
  const learns = run.state === 'begins' || run.state === 'learns';
  return (
    <div class="progress" data-state={run.state} data-steps={run.steps.length}>
      {learns && <progress aria-label={words.teach} value={last ? last.step + 1 : undefined} max={last?.steps ?? 1} />}
      {run.state === 'begins' && <p>{words.begins}</p>}
      {run.state === 'learns' && last && (
        <p class="figures">
          <span>
            {words.progress(last.step + 1, last.steps, Math.min(run.rounds, Math.ceil(last.epoch)), run.rounds)}
          </span>
          <span>{words.speed(last.tokensPerSecond)}</span>
          <span>{words.left(last.secondsLeft)}</span>
        </p>
      )}
      <p role="status">
        {run.state === 'ended' && words.ended(run.steps.length)}
        {run.state === 'stopped' && (run.adapter ? words.stopped(run.steps.length) : words.stoppedEarly)}
      </p>
      {run.state === 'failed' && (
        <p role="alert" class="wrong">
          {words.failed(run.failure ?? '')} {run.adapter && words.kept}
        </p>
      )}
    </div>
  );
}
