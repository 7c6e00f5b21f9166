import { checkDevice, type DeviceReport, type Rung, VitrineError } from '../../index.ts';

/** What the page hears of the check. */
export type Message =
  | { kind: 'rung'; done: number; total: number; rung: Rung }
  | { kind: 'report'; report: DeviceReport }
  | { kind: 'failed'; code: string | undefined; text: string };

const post = (message: Message) => postMessage(message);

/** The page posts the address of the model that is read at the end, and ends the worker to stop it. */
addEventListener('message', ({ data: model }: MessageEvent<string>) => {
  checkDevice({ model, onProgress: (progress) => post({ kind: 'rung', ...progress }) }).then(
    (report) => post({ kind: 'report', report }),
    (error: unknown) => {
      const code = error instanceof VitrineError ? error.code : undefined;
      post({ kind: 'failed', code, text: error instanceof Error ? error.message : String(error) });
    },
  );
});
