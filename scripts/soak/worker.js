// The engine in a worker whose buffers are counted. Its imports are static: a message that comes before them would be lost.
import { liveBuffers } from './buffers.js';
import '/dist/engine.js';

const channel = new BroadcastChannel('soak');
channel.onmessage = ({ data }) => {
  if (data === 'buffers?') channel.postMessage(liveBuffers());
};
addEventListener('unhandledrejection', ({ reason }) => channel.postMessage({ unhandled: String(reason) }));
