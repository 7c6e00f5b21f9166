import { part } from '../plan/part.ts';

/** Whether tensors are changes to a model, as peft names them. */
export const areChanges = (tensors: readonly { name: string }[]): boolean =>
  tensors.length > 0 && tensors.every(({ name }) => /^base_model\.|\.lora_[AB]\b/.test(name));

/** What says of something else what it is, and where to go with it. */
export const otherKinds = () => part('What tells other kinds of models', () => import('./other-kinds.ts'));
