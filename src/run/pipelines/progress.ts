import type { Progress } from '../../load/checkpoint.ts';

/** How far a load has come, in transformers.js's terms. */
export interface PipelineProgress {
  status: 'progress' | 'ready';
  file: string;
  loaded: number;
  total: number;
  /** Per cent of `total`. */
  progress: number;
}

/** An `onProgress` that tells in transformers.js's terms, and another that is there. */
export function telling(
  tell: (info: PipelineProgress) => unknown,
  other?: (progress: Progress) => unknown,
): (progress: Progress) => Promise<unknown> {
  return (progress) => {
    const { stage, file, loaded, total } = progress;
    const status = stage === 'ready' ? 'ready' : 'progress';
    const info = { status, file, loaded, total, progress: total > 0 ? (100 * loaded) / total : 0 } as const;
    return Promise.all([other?.(progress), tell(info)]); // what either rejects with ends the load
  };
}
