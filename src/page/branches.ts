import { signal } from '@preact/signals';
import { type Manuscript, shared, textOf } from '../embed/manuscript.ts';

/** One way the text went on. Branches form a tree; the one that is shown is the page's manuscript. */
export interface Branch {
  id: number;
  /** The branch it left; undefined for the first. */
  parent: number | undefined;
  /** Characters it shared with its parent when it left. */
  at: number;
  /** As it was when it was last shown. */
  manuscript: Manuscript;
}

export const branches = signal<readonly Branch[]>([]);
export const shownBranch = signal<number | undefined>(undefined);

let lastId = 0;

/** Leaves the text as it is (`current`) on its branch, and begins one that goes on from its first `at` characters. */
export function branchOff(current: Manuscript, at: number, next: Manuscript): void {
  const kept = keep(current);
  const id = ++lastId;
  branches.value = [...kept, { id, parent: shownBranch.value, at, manuscript: next }];
  shownBranch.value = id;
}

/** The manuscript of a branch, to be shown in place of `current`. */
export function goTo(id: number, current: Manuscript): Manuscript | undefined {
  branches.value = keep(current);
  const branch = branches.value.find((one) => one.id === id);
  if (branch) shownBranch.value = id;
  return branch?.manuscript;
}

export function forgetBranches(): void {
  branches.value = [];
  shownBranch.value = undefined;
}

/** All branches, the shown one as it is now. */
function keep(current: Manuscript): readonly Branch[] {
  if (shownBranch.value === undefined) {
    shownBranch.value = ++lastId;
    return [...branches.value, { id: lastId, parent: undefined, at: 0, manuscript: current }];
  }
  return branches.value.map((one) => (one.id === shownBranch.value ? { ...one, manuscript: current } : one));
}

export interface BranchRow {
  branch: Branch;
  depth: number;
  /** How it goes on from where it left. */
  departs: string;
}

/** The tree in order, each branch under the one it left; `current` is the text of the shown branch. */
export function treeOf(all: readonly Branch[], shown: number | undefined, current: Manuscript): BranchRow[] {
  const rows: BranchRow[] = [];
  const add = (parent: number | undefined, parentText: string, depth: number) => {
    for (const branch of all) {
      if (branch.parent !== parent) continue;
      const text = textOf(branch.id === shown ? current : branch.manuscript);
      // Either may have been edited before that place since.
      rows.push({ branch, depth, departs: text.slice(Math.min(branch.at, shared(parentText, text).head)) });
      add(branch.id, text, depth + 1);
    }
  };
  add(undefined, '', 0);
  return rows;
}
