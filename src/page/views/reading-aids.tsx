import { ghostOn, switchGhost } from '../ghost.ts';
import { apple } from '../keys.ts';
import { type Colouring, colourings } from '../permalink.ts';
import { strings } from '../strings.ts';
import { colouring, perplexityOf, type TextToken, tokens } from '../tokens.ts';
import { CopyButton } from './copy-button.tsx';

/** What the model shows of itself while one writes: what it would say next, and how it takes each token. */
export function ReadingAids() {
  const choices: (Colouring | undefined)[] = [undefined, ...colourings];
  return (
    <section class="aids" aria-labelledby="aids-title">
      <h2 id="aids-title">{strings.tokens}</h2>
      <label class="switch">
        <input type="checkbox" checked={ghostOn.value} onChange={switchGhost} />
        {strings.suggest}
      </label>
      <fieldset class="colourings">
        <legend>{strings.colourBy}</legend>
        {choices.map((choice) => (
          <label>
            <input
              type="radio"
              name="colouring"
              checked={colouring.value === choice}
              onChange={() => (colouring.value = choice)}
            />
            <span>{strings.colourings[choice ?? 'none']}</span>
          </label>
        ))}
      </fieldset>
      {colouring.value && tokens.value && <Counted all={tokens.value} />}
      {colouring.value && (
        <div class="scale">
          <span class="gradient" />
          <span>{strings.scaleEnds[colouring.value][0]}</span>
          <span>{strings.scaleEnds[colouring.value][1]}</span>
        </div>
      )}
      <p class="meaning">
        {strings.aboutTokens} <span class="with-keys">{strings.alternativesHint(apple)}</span>
        <span class="with-touch">{strings.alternativesTouch}</span>
      </p>
    </section>
  );
}

/** The text as tokens: how many, how well expected, and their ids to take along. */
function Counted({ all }: { all: readonly TextToken[] }) {
  const perplexity = perplexityOf(all);
  return (
    <p class="counted" data-tokens={all.length} data-perplexity={perplexity}>
      <span>{strings.tokenCount(all.length)}</span>{' '}
      {perplexity !== undefined && <span title={strings.perplexityHint}>{strings.perplexity(perplexity)}</span>}{' '}
      <CopyButton
        text={() => JSON.stringify(all.map(({ id }) => id))}
        label={strings.copyIds}
        done={strings.copied}
        title={strings.copyIdsHint}
      />
    </p>
  );
}
