/**
 * How the threads of a run work together. Each has an instance of this module over the same memory; globals are a thread's
 * own. The control words lie below 6144, 64 bytes apart, so that no two share a cache line.
 */
const EPOCH: usize = 64; // counts the runs; a change starts one (thread.js waits for it too)
const STATE: usize = 128; // of a run: its step, whether that is closed, and the threads in it (thread.js closes it when it fails)
const SLEEPERS: usize = 320; // threads in an atomic wait, those in thread.js too
export const RUN: usize = 384; // what to run: steps, their number, batch, scratch, its bytes per thread
export const I8_PRODUCTS: usize = 448; // whether tiles of q8 and q4 are of i8 products
const FAILED: usize = 1024; // characters of why a thread has failed, which thread.js writes behind it
const TAKEN: usize = 2048; // for each thread, the pieces of its own part of the step that have been taken

/** The step that STATE is at, above what it says of it: nobody may enter it any more; how many are in it. */
const STEP: i32 = 8;
const CLOSED: i32 = 128;
const INSIDE: i32 = 127;
/** The whole of STATE where no run is under way. */
export const OVER: i32 = -1;

let self: i32 = 0;
let threads: i32 = 1;
let mayWait: bool = false;

/** `wait`: this thread may block (a page's main thread may not, it spins). */
export function join(thread: i32, count: i32, wait: bool): void {
  self = thread;
  threads = count;
  mayWait = wait;
}

/**
 * The next of a step's pieces that nobody has taken, negative if there is none. A thread takes those of its own part one behind the other, as
 * memory is fetched ahead only where it is read in its order; then what is left of others' parts, so that a busy core holds up nobody.
 */
export function nextPiece(count: i32, owners: i32 = 0): i32 {
  if (owners == threads) return -1;
  const owner = (self + owners) % threads;
  const first = (count * owner) / threads;
  const piece = first + atomic.add<i32>(TAKEN + ((<usize>owner) << 6), 1);
  return piece < (count * (owner + 1)) / threads ? piece : nextPiece(count, owners + 1);
}

export function threadCount(): i32 {
  return threads;
}

/** Lets the other threads start a run. */
export function start(): void {
  atomic.store<i32>(STATE, 0);
  signal(EPOCH, atomic.load<i32>(EPOCH) + 1);
}

/**
 * Enters the step that a run is at, once that is not `last` any more, and gives its number, or OVER. Traps where a thread has failed. A run waits
 * for nobody who is not in a step: a thread whose core is busy elsewhere comes in where the others are by then.
 */
export function enter(last: i32): i32 {
  for (let state = stateOfRun(); state != OVER; state = stateOfRun()) {
    if (state >> STEP == last || state & CLOSED) awaitChange(STATE, state);
    else if (atomic.cmpxchg<i32>(STATE, state, state + 1) == state) return state >> STEP;
  }
  return OVER;
}

function stateOfRun(): i32 {
  if (atomic.load<i32>(FAILED)) unreachable();
  return atomic.load<i32>(STATE);
}

/**
 * Leaves a step of which no piece is left; who is the last in it closes it and opens the next of `count`. It closes as it leaves: once it were out,
 * a run could end and another come to the same step while it sleeps, and it would close that.
 */
export function leave(count: i32): void {
  let state: i32;
  let left: i32;
  do {
    state = atomic.load<i32>(STATE);
    left = (state & INSIDE) == 1 ? (state - 1) | CLOSED : state - 1;
  } while (atomic.cmpxchg<i32>(STATE, state, left) != state);
  if (!(left & CLOSED)) return;
  for (let i = 0; i < threads; i++) atomic.store<i32>(TAKEN + ((<usize>i) << 6), 0);
  const next = (state >> STEP) + 1;
  signal(STATE, next == count ? OVER : next << STEP);
}

export function epoch(): i32 {
  return atomic.load<i32>(EPOCH);
}

/** Until a run starts after `last`, whose number it gives, or until none has for `milliseconds` (never, if negative). */
export function nextRun(last: i32, milliseconds: i32): i32 {
  awaitChange(EPOCH, last, milliseconds < 0 ? -1 : <i64>milliseconds * 1000000);
  return atomic.load<i32>(EPOCH);
}

function signal(word: usize, value: i32): void {
  atomic.store<i32>(word, value);
  if (atomic.load<i32>(SLEEPERS) > 0) atomic.notify(word, -1);
}

/** Spins for some 30 µs, about what going to sleep and waking up again costs. */
function awaitChange(word: usize, value: i32, nanoseconds: i64 = -1): void {
  for (let spins = 0; atomic.load<i32>(word) == value; spins++) {
    if (!mayWait || spins < 20000) continue;
    atomic.add<i32>(SLEEPERS, 1);
    const woken = atomic.wait<i32>(word, value, nanoseconds);
    atomic.sub<i32>(SLEEPERS, 1);
    if (woken == AtomicWaitResult.TIMED_OUT) return;
  }
}
