import { answerCall } from '../../src/embed/calls.ts';
import { Connection } from '../../src/embed/connection.ts';
import type { Call } from '../../src/embed/protocol.ts';
import type { Thread } from '../../src/host/worker.ts';

/** The worker's calls, reached over real channels, on this thread: what crosses is copied as it is between two. */
export const connected = () => new Connection(Promise.resolve(asThread()));

const asThread = (): Thread => ({
  postMessage: (message, transfer) => void answerCall(crossed(message as Call, transfer as Transferable[])),
  terminate() {},
  onmessage: null,
  onerror: null,
});
function crossed({ port, ...call }: Call, transfer: Transferable[]): Call {
  const others = transfer.filter((one) => one !== port);
  return { ...structuredClone(call, { transfer: others }), port };
}
