import { append, edit, type Manuscript, shared, textOf, upTo, written } from '../../embed/manuscript.ts';
import type { Completion, Edit, Token } from '../../index.ts';

/** The visitor's document and its history, as values: every function returns a new one. */

/** One way the text went on. Branches form a tree; `at` is how many characters it shared with its parent when it left. */
export interface Branch {
  id: number;
  /** The branch it left; undefined for the first. */
  parent: number | undefined;
  at: number;
  manuscript: Manuscript;
}

/** A run of the model that wrote on. */
export interface Run {
  tokens: number;
  /** While it runs: measured between tokens here. Afterwards: the engine's own figure. */
  tokensPerSecond: number | undefined;
  /** Undefined for a greedy run, in which it plays no part. */
  seed: number | undefined;
  finishReason: Completion['finishReason'] | undefined;
  /** What was changed inside the model while it wrote. */
  edits: readonly Edit[];
}

/** All that undo brings back: every branch, which of them is shown, the run that made it, and what was done last. */
export interface Document {
  branches: readonly Branch[];
  /** The id of the branch that is shown. */
  shown: number;
  run: Run | undefined;
  change: 'opened' | 'completed' | 'typed' | 'other';
}

type Written = Pick<Token, 'id' | 'text' | 'logprob'>;

export function opened(text: string): Document {
  const first = { id: 0, parent: undefined, at: 0, manuscript: written(text) };
  return { branches: [first], shown: 0, run: undefined, change: 'opened' };
}

export function manuscriptOf({ branches, shown }: Document): Manuscript {
  return branches.find(({ id }) => id === shown)!.manuscript;
}

export function textIn(document: Document): string {
  return textOf(manuscriptOf(document));
}

function changed(document: Document, manuscript: Manuscript, change: Document['change']): Document {
  const branches = document.branches.map((one) => (one.id === document.shown ? { ...one, manuscript } : one));
  return { ...document, branches, change };
}

export function typed(document: Document, text: string): Document {
  return changed(document, edit(manuscriptOf(document), text), 'typed');
}

/** With tokens that the model wrote or offered. */
export function appended(document: Document, tokens: readonly Written[], change: Document['change']): Document {
  return changed(document, tokens.reduce(append, manuscriptOf(document)), change);
}

/** A new branch that leaves the shown one at a character and goes on with another token. */
export function branchedAt(document: Document, at: number, token: Written): Document {
  const id = Math.max(...document.branches.map((one) => one.id)) + 1;
  const manuscript = append(upTo(manuscriptOf(document), at), token);
  const branch = { id, parent: document.shown, at, manuscript };
  return { branches: [...document.branches, branch], shown: id, run: undefined, change: 'other' };
}

/** Another branch; the document itself if it has none of that id. */
export function showing(document: Document, id: number): Document {
  if (!document.branches.some((one) => one.id === id)) return document;
  return { ...document, shown: id, run: undefined, change: 'other' };
}

interface BranchRow {
  branch: Branch;
  depth: number;
  /** How it goes on from where it left. */
  departs: string;
}

/** The tree in order, each branch under the one it left. */
export function branchRows({ branches }: Document): BranchRow[] {
  const rows: BranchRow[] = [];
  const add = (parent: number | undefined, parentText: string, depth: number) => {
    for (const branch of branches) {
      if (branch.parent !== parent) continue;
      const text = textOf(branch.manuscript);
      // Either may have been edited before that place since.
      rows.push({ branch, depth, departs: text.slice(Math.min(branch.at, shared(parentText, text).head)) });
      add(branch.id, text, depth + 1);
    }
  };
  add(undefined, '', 0);
  return rows;
}

/** Documents in the order they came about, and which of them is the present one; those behind it were undone. */
export interface History {
  documents: readonly Document[];
  at: number;
}

const longest = 101;

export function begun(document: Document): History {
  return { documents: [document], at: 0 };
}

export function present({ documents, at }: History): Document {
  return documents[at]!;
}

/** A document behind the present one: what was undone is gone. */
export function pushed({ documents, at }: History, document: Document): History {
  const all = [...documents.slice(0, at + 1), document].slice(-longest);
  return { documents: all, at: all.length - 1 };
}

/** Another document in the place of the present one, as a keystroke of the same burst makes; what was undone stays. */
export function replaced(history: History, document: Document): History {
  return { ...history, documents: history.documents.map((one, i) => (i === history.at ? document : one)) };
}

/** `steps` documents on, or back; as far as there are any. */
export function moved(history: History, steps: number): History {
  return { ...history, at: Math.max(0, Math.min(history.documents.length - 1, history.at + steps)) };
}

/** The document that a completion went on from; the present one if it is none. */
export function beforeCompletion(history: History): Document {
  const { documents, at } = history;
  return (documents[at]!.change === 'completed' ? documents[at - 1] : undefined) ?? documents[at]!;
}
