// A side in a worker, as a page that cares for its visitors has it. The page tells how long processors have worked.
import { answer, side } from './side.mjs';

const asked = [];
const busyMs = () =>
  new Promise((resolve) => {
    asked.push(resolve);
    postMessage({ asksBusyMs: true });
  });
const calls = side(busyMs);
addEventListener('message', ({ data }) => {
  if ('busyMs' in data) asked.shift()(data.busyMs);
  else answer(calls, data, (reply) => postMessage(reply));
});
