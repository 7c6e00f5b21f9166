/** Lets waiting events in. Not setTimeout, which browsers hold back for 4 ms when it is nested. */
export function newTask(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
