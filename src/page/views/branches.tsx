import { visible } from '../format.ts';
import { branchRows } from '../state/document.ts';
import { page, phase, showBranch } from '../writing.ts';
import { words } from './words.ts';

const excerptLength = 60;

/** The ways the text went, each under the one it left; choosing one shows it again. */
export function Branches() {
  const { shown } = page.value;
  return (
    <nav class="branches" aria-label={words.branches}>
      <ul>
        {branchRows(page.value).map(({ branch, depth, departs }) => (
          <li style={{ '--depth': depth }}>
            <button
              type="button"
              aria-current={branch.id === shown}
              aria-label={words.branch(depth, departs)}
              disabled={phase.value !== 'idle'}
              onClick={() => showBranch(branch.id)}
            >
              {depth > 0 && '… '}
              <bdi>{excerpt(departs) || words.emptyBranch}</bdi>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

/** How a branch begins, in whole words; where it has nothing to be seen, that is told. */
function excerpt(text: string): string {
  const whole = /[\p{L}\p{N}\p{P}\p{S}]/u.test(text) || text === '' ? text.trim() : visible(text);
  return whole.length <= excerptLength ? whole : `${whole.slice(0, excerptLength).replace(/\s+\S*$/, '')} …`;
}
