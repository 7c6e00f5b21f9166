// A side in a Node process of its own: native llama.cpp.
import { answer, side } from './side.mjs';

const busyMs = async () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const calls = side(busyMs);
process.on('message', (message) => answer(calls, message, (reply) => process.send(reply)));
