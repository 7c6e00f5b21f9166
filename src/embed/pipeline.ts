import type { Pipelines } from '../index.ts';
import { PipelineTensor } from '../run/pipelines/tensor.ts';
import { isSignal } from '../run/refuse.ts';
import type { Connection } from './connection.ts';
import { loaderOf, type WorkerPipelines } from './kinds.ts';
import { remoteModel, sendable } from './model.ts';

export { telling } from '../run/pipelines/progress.ts';

/** @internal The page's side of a pipeline whose model is in the worker. */
export function remotePipeline<Name extends keyof Pipelines>(
  connection: Connection,
  loaded: Awaited<ReturnType<Connection['load']>>,
): WorkerPipelines[Name] {
  const loader = loaderOf(loaded.task!);
  const model = remoteModel(connection, loader, loaded);
  const call = async (...args: unknown[]) => {
    const last = args.at(-1) as { signal?: AbortSignal } | undefined;
    const isHeard = isSignal.accepts(last?.signal);
    const { signal, ...options } = isHeard ? last! : {};
    const sent = isHeard ? [...args.slice(0, -1), options] : [...args];
    const transfer: Transferable[] = [];
    if (loader === 'loadVision') sent[0] = await sendable(sent[0], transfer, signal);
    const answer = await connection.call('pipe', [loaded.id, sent, isHeard], { signal, transfer });
    const { data, dims } = (answer ?? {}) as Partial<PipelineTensor>;
    return data && dims ? new PipelineTensor(data, dims) : answer;
  };
  const dispose = () => model.dispose();
  const own = { task: loaded.task!, model, dispose, [Symbol.asyncDispose]: dispose };
  return Object.assign(call, own) as unknown as WorkerPipelines[Name];
}
