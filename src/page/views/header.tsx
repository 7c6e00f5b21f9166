import { lookInside } from '../inside-open.ts';
import { currentLink } from '../link.ts';
import { guest, talking } from '../models.ts';
import { strings } from '../strings.ts';
import { currentTheme, switchTheme } from '../theme.ts';
import { CopyButton } from './copy-button.tsx';
import { Layers, Link, Moon, Sun } from './icons.tsx';

export function Header() {
  const dark = currentTheme() === 'dark';
  const other = dark ? strings.toLight : strings.toDark;
  return (
    <header class="header">
      <h1 class="wordmark">{strings.title}</h1>
      <p class="tagline">{strings.tagline}</p>
      {!guest.value && !talking.value && (
        <button type="button" class="quiet" onClick={lookInside}>
          <Layers />
          <span>{strings.seeInsideShort}</span>
        </button>
      )}
      <CopyButton text={currentLink} title={strings.linkHint} label={strings.link} done={strings.linkCopied}>
        <Link />
      </CopyButton>
      <button type="button" class="quiet" onClick={switchTheme} title={strings.themeHint(other.toLowerCase())}>
        {dark ? <Sun /> : <Moon />}
        <span>{other}</span>
      </button>
    </header>
  );
}
