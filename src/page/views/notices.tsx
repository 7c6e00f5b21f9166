import { signal } from '@preact/signals';
import { announcement } from '../announce.ts';
import type { WayOut } from '../failure.ts';
import { askedModel } from '../link.ts';
import { device, failure, guest, opened, retry, runOn, shown, unkept } from '../models.ts';
import { updateWaits } from '../offline.ts';
import { strings } from '../strings.ts';
import { run } from '../writing.ts';
import { openModelDialog } from './dialogs.tsx';
import { Later } from './later.tsx';
import { Notice } from './notice.tsx';

const gpuNoteDismissed = signal(false);

const rare = () => import('./rare-notices.tsx');

const ways: Record<WayOut, [label: string, act: () => void]> = {
  giveToken: [
    strings.giveToken,
    () => failure.value?.gated && openModelDialog({ kind: 'hub', id: failure.value.gated }),
  ],
  tryAgain: [strings.tryAgain, () => retry.value?.()],
  useProcessor: [strings.useProcessor, () => runOn('wasm')],
  otherModel: [strings.otherModel, () => openModelDialog()],
};

/** What the visitor has to know beside the text, each with its way out. */
export function Notices() {
  return (
    <div class="notices">
      <div role="alert">{failure.value && <FailureNotice />}</div>
      <div role="status">
        {askedModel.value && <Later load={async () => (await rare()).AskedModelNotice} with={{}} />}
        {run.value?.finishReason === 'context' && shown.value && !guest.value && (
          <p class="notice">{strings.contextFull(shown.value.model.config.nCtx)}</p>
        )}
        {unkept.value && <Later load={async () => (await rare()).UnkeptNotice} with={{}} />}
        {updateWaits.value && <Notice text={strings.updateWaits} onDismiss={() => (updateWaits.value = false)} />}
        {withoutGpu() && !gpuNoteDismissed.value && (
          <Later
            load={async () => (await import('./gpu-note.tsx')).GpuNote}
            with={{ device: opened.value!.model.device, onDismiss: () => (gpuNoteDismissed.value = true) }}
          />
        )}
      </div>
      <p role="log" class="unseen">
        {announcement.value}
      </p>
    </div>
  );
}

function withoutGpu(): boolean {
  return opened.value !== undefined && opened.value.model.device.kind !== 'webgpu' && device.value === 'auto';
}

function FailureNotice() {
  const { what, advice, details, waysOut } = failure.value!;
  return (
    <Notice text={`${what} ${advice}`} kind="failure" onDismiss={() => (failure.value = undefined)}>
      <div class="ways">
        {waysOut.map((way) => (
          <button type="button" class="plain" onClick={ways[way][1]}>
            {ways[way][0]}
          </button>
        ))}
        {details && (
          <details>
            <summary>{strings.details}</summary>
            <p>{details}</p>
          </details>
        )}
      </div>
    </Notice>
  );
}
