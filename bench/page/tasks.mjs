// Tasks of a page's main thread, from a trace of Chromium's.

/** The outermost tasks of the renderer's main thread that has most of them, [{ cpu, wall }] in ms, with the longest things that they did. */
export function threadTasks({ traceEvents }) {
  const mains = traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain');
  const complete = traceEvents.filter(({ ph }) => ph === 'X').sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const lists = mains.map(({ pid, tid }) =>
    tasksOf(complete.filter((event) => event.pid === pid && event.tid === tid)),
  );
  return lists.sort((a, b) => b.length - a.length)[0] ?? [];
}

/** @param events of one thread, by when they began */
function tasksOf(events) {
  const tasks = [];
  for (const event of events) {
    const last = tasks.at(-1);
    const within = last && event.ts < last.end;
    if (within) last.parts.push(event);
    else if (/RunTask$/.test(event.name)) tasks.push({ ...event, end: event.ts + event.dur, parts: [] });
  }
  return tasks.map(({ dur, tdur, parts }) => ({
    wall: dur / 1000,
    cpu: (tdur ?? dur) / 1000,
    within: longestIn(parts),
  }));
}

function longestIn(parts) {
  const own = parts.filter(({ name, dur }) => !/RunTask|RunMicrotasks$/.test(name) && dur > 2000);
  return own
    .sort((a, b) => b.dur - a.dur)
    .slice(0, 6)
    .map(({ name, dur, args }) => `${name}${args?.data?.type ? ` ${args.data.type}` : ''} ${(dur / 1000).toFixed(1)}`)
    .join(', ');
}

/** What is more than `limit` ms of processor time, and the ten longest. */
export function longestTasks(tasks, limit) {
  const longest = tasks.toSorted((a, b) => b.cpu - a.cpu);
  return { count: tasks.length, over: longest.filter(({ cpu }) => cpu > limit), longest: longest.slice(0, 10) };
}
