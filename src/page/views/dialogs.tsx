import { signal } from '@preact/signals';
import { explain } from '../failure.ts';
import { failure, retry } from '../models.ts';
import { embedded, type ModelRef } from '../sources.ts';
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
    failure.value = { ...explain(error, embedded, 'load'), waysOut: ['tryAgain'] };
    retry.value = () => openModelDialog();
  };
  const load = async () => (await import('./model-dialog.tsx')).ModelDialog;
  return <Later load={load} with={{ asked: modelDialog.value.asked, onClose: close }} onFailure={onFailure} />;
}
