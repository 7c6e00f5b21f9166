import type { Table } from './table.ts';
import { words } from './words.ts';

/** How many are told of each kind. */
export const mostProblems = 5;

/** Lines that were left out, and why. */
export function Problems({ problems, hasClasses = true }: { problems: Table['problems']; hasClasses?: boolean }) {
  if (problems.length === 0) return null;
  return (
    <div class="wrong">
      <p>{words.leftOut(problems.length)}</p>
      <ul>
        {problems.slice(0, mostProblems).map((problem) => (
          <li key={`${problem.line} ${problem.what}`}>{words.problem(problem, hasClasses)}</li>
        ))}
        {problems.length > mostProblems && <li>{words.moreProblems(problems.length - mostProblems)}</li>}
      </ul>
    </div>
  );
}
