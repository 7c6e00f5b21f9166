import './styles/page.css';
import { render } from 'preact';
import { followAsked } from './alternatives.ts';
import { App } from './app.tsx';
import { keepFocus } from './focus.ts';
import { followTyping } from './ghost.ts';
import { followLink } from './link.ts';
import { show } from './models.ts';
import { keepOffline, takeUpdate } from './offline.ts';
import { followTheme } from './theme.ts';
import { followTokens } from './tokens.ts';
import { keepText } from './writing.ts';

await takeUpdate();
followTheme();
const first = followLink();
keepText();
followTokens();
followTyping();
followAsked();
keepFocus();
render(<App />, document.getElementById('page')!);
void show(first).then(keepOffline); // the model first, then what the next visit needs
