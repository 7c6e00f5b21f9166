/** Milliseconds that this process has computed since: a busy machine makes no more of them, a slow algorithm does. */
export function cpuClock(): () => number {
  const begun = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
}
