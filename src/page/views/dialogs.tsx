import { signal } from '@preact/signals';
import { failure, retry } from '../models.ts';
import type { ModelRef } from '../sources.ts';
import { strings } from '../strings.ts';
import { Later } from './later.tsx';

const modelDialog = signal<{ asked: ModelRef | undefined } | undefined>(undefined);

/** Opens the choice of models; `asked` is looked up at once. */
export function openModelDialog(asked?: ModelRef): void {
  modelDialog.value = { asked };
}

export function Dialogs() {
  if (!modelDialog.value) return null;
  const close = () => {
    modelDialog.value = undefined;
  };
  const onFailure = (error: unknown) => {
    close();
    const [what, advice] = strings.offline;
    failure.value = { what, advice, details: String(error), waysOut: ['tryAgain'] };
    retry.value = () => openModelDialog();
  };
  const load = async () => (await import('./model-dialog.tsx')).ModelDialog;
  return <Later load={load} with={{ asked: modelDialog.value.asked, onClose: close }} onFailure={onFailure} />;
}
