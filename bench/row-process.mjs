// Runs a row in a Node process of its own.
import { runRow } from './row.mjs';

process.once('message', (job) => {
  runRow(job).then(
    (result) => process.send({ result }),
    (error) => process.send({ error: String(error?.stack ?? error) }),
  );
});
