import './styles/page.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { followLink } from './link.ts';
import { show } from './models.ts';
import { embedded } from './sources.ts';
import { followTheme } from './theme.ts';

followTheme();
followLink();
render(<App />, document.getElementById('page')!);
void show(embedded);
