// Runs a row in a worker, as a page that cares for its visitors does.
import { runRow } from './row.mjs';

addEventListener('message', ({ data }) => {
  runRow(data).then(
    (result) => postMessage({ result }),
    (error) => postMessage({ error: String(error?.stack ?? error) }),
  );
});
